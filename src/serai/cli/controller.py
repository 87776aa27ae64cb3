"""``serai controller``: serve the Gateways of a Kubernetes cluster."""

from __future__ import annotations

import asyncio
import os
import platform
import signal
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import msgspec
import typer

from serai.cli.options import ADMIN, with_settings
from serai.cli.output import Exit, talk, usage
from serai.cli.run import Console, LogFormat, LogLevel
from serai.model.settings import Settings

if TYPE_CHECKING:
    from serai.app.controller import Options
    from serai.kube.deployment import Deployment
    from serai.sources.cluster import Scope
    from serai.web.server import WebServer

Kubeconfig = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE",
        help="Who we are and where; else our Pod's ServiceAccount, KUBECONFIG, or ~/.kube/config.",
        exists=True,
    ),
]
Xds = Annotated[str, typer.Option(metavar="ADDR", envvar="SERAI_XDS", help="Where xDS is served.")]
LeaseNamespace = Annotated[
    str,
    typer.Option(
        metavar="NS", envvar="POD_NAMESPACE", help="The namespace of the Lease; else our own."
    ),
]
Identity = Annotated[
    str,
    typer.Option(metavar="NAME", envvar="POD_NAME", help="This replica; else the host's name."),
]
Selectors = Annotated[
    str,
    typer.Option(
        metavar="JSON",
        envvar="SERAI_DISCOVERY_NAMESPACE_SELECTORS",
        help="Look at namespaces only that one of these label selectors takes.",
    ),
]
Revision = Annotated[
    str,
    typer.Option(
        metavar="NAME",
        envvar="SERAI_REVISION",
        help="Leave objects alone whose label istio.io/rev names another.",
    ),
]
ProxyImage = Annotated[
    str,
    typer.Option(
        metavar="IMAGE",
        envvar="SERAI_PROXY_IMAGE",
        help="Deploy Envoys of this image for each Gateway; else nothing is deployed.",
    ),
]
ProxyReplicas = Annotated[
    int, typer.Option(metavar="N", envvar="SERAI_PROXY_REPLICAS", help="Envoys of each Gateway.")
]
XdsHost = Annotated[
    str,
    typer.Option(
        metavar="HOST",
        envvar="SERAI_XDS_HOST",
        help="By which Envoys that are deployed find us, such as serai.serai-system.svc.",
    ),
]

Probes = Annotated[
    str,
    typer.Option(
        metavar="ADDR",
        envvar="SERAI_PROBES",
        help="Where anybody may ask for /healthz, /readyz and /metrics, such as :15014.",
    ),
]
XdsTls = Annotated[
    str,
    typer.Option(
        metavar="FOLDER|none",
        envvar="SERAI_XDS_TLS",
        help="Serve xDS with its tls.crt and tls.key, followed, which ca.crt makes trusted; else"
        " with a certificate of our own. none: without TLS, to whoever asks.",
    ),
]
KeysFolder = Annotated[
    Path | None,
    typer.Option(
        metavar="FOLDER",
        envvar="SERAI_KEYS",
        help="Keeps the keys of issuers of tokens over restarts; else they are fetched anew.",
    ),
]


RemoteGrace = Annotated[
    float,
    typer.Option(
        metavar="SECONDS",
        envvar="SERAI_REMOTE_GRACE",
        help="For how long another cluster that cannot be reached keeps its endpoints.",
        min=0,
    ),
]
RemoteWait = Annotated[
    float,
    typer.Option(
        metavar="SECONDS",
        envvar="SERAI_REMOTE_WAIT",
        help="For how long the start waits for other clusters at most.",
        min=0,
    ),
]


@with_settings
def controller(
    *,
    settings: Settings,
    kubeconfig: Kubeconfig = None,
    xds: Xds = "0.0.0.0:18000",
    admin: Console = ADMIN,
    probes: Probes = "",
    namespace: LeaseNamespace = "",
    identity: Identity = "",
    discovery_namespace_selectors: Selectors = "[]",
    revision: Revision = "default",
    proxy_image: ProxyImage = "",
    proxy_replicas: ProxyReplicas = 1,
    xds_host: XdsHost = "",
    xds_tls: XdsTls = "",
    keys: KeysFolder = None,
    remote_grace: RemoteGrace = 900.0,
    remote_wait: RemoteWait = 10.0,
    log_level: LogLevel = "info",
    log_format: LogFormat = "auto",
) -> None:
    """Serve the Gateways of a Kubernetes cluster."""
    from serai.app.controller import Options  # noqa: PLC0415

    _log(log_level, log_format)
    options = Options(
        deployment=_deployment(proxy_image, proxy_replicas, xds_host),
        keys=keys,
        remote_grace=remote_grace,
        remote_wait=remote_wait,
        xds_host=xds_host,
        xds_tls=_tls(xds_tls),
        xds=xds,
        namespace=namespace,
        identity=identity or f"{platform.node()}-{os.getpid()}",
        scope=_scope(discovery_namespace_selectors, revision),
    )
    raise typer.Exit(asyncio.run(_run(kubeconfig, settings, options, admin, probes)))


def _tls(said: str) -> Path | Literal["own", "none"]:
    if said in {"", "none"}:
        return "none" if said else "own"
    return Path(said)


def _log(level: str, form: LogFormat) -> None:
    from serai.telemetry.logging import configure  # noqa: PLC0415

    try:
        configure(level, form)
    except ValueError as error:
        usage(f"--log-level: {error}")


def _in_cluster(settings: Settings) -> Settings:
    # A Pod has addresses of its own.
    bind = "0.0.0.0" if settings.bind == "127.0.0.1" else settings.bind  # noqa: S104
    return msgspec.structs.replace(settings, standalone=False, bind=bind)


async def _run(
    kubeconfig: Path | None, settings: Settings, options: Options, admin: str, probes: str
) -> int:
    from serai.app.controller import Controller  # noqa: PLC0415
    from serai.kube.access import ApiError, connect  # noqa: PLC0415
    from serai.web.app import probes_app  # noqa: PLC0415

    try:
        access = await connect(kubeconfig)
    except ApiError as error:
        talk(f"error  {error}")
        return Exit.FAILED
    if not options.namespace:
        options = msgspec.structs.replace(options, namespace=access.namespace)
    web = _listening("--admin", admin)
    probed = _listening("--probes", probes) if probes else None
    try:
        controller = Controller(access, _in_cluster(settings), options)
    except (OSError, ValueError) as error:
        talk(f"error  --xds-tls {options.xds_tls}: {error}")
        return Exit.FAILED
    if probed is not None:
        await probed.start(probes_app(controller))
    running = asyncio.ensure_future(controller.run(web))
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, running.cancel)
    try:
        await running
    except asyncio.CancelledError:
        return 0
    finally:
        if probed is not None:
            await probed.stop()
    return Exit.FAILED


def _listening(option: str, address: str) -> WebServer:
    from serai.web.server import WebServer  # noqa: PLC0415

    host, _, port = address.rpartition(":")
    try:
        return WebServer(host.strip("[]"), int(port))
    except (ValueError, OSError) as error:
        talk(f"error  {option} {address}: {error}")
        raise typer.Exit(Exit.FAILED) from None


def _deployment(image: str, replicas: int, xds_host: str) -> Deployment | None:
    from serai.kube.deployment import Deployment  # noqa: PLC0415

    if image and not xds_host:
        usage("--proxy-image needs --xds-host, by which the Envoys find us")
    return Deployment(image=image, replicas=replicas) if image else None


def _scope(text: str, revision: str) -> Scope:
    from serai.api.meta import LabelSelector  # noqa: PLC0415
    from serai.sources.cluster import Scope  # noqa: PLC0415

    try:
        return Scope(msgspec.json.decode(text, type=tuple[LabelSelector, ...]), revision)
    except msgspec.DecodeError as error:
        example = '[{"matchLabels": {"mesh": "on"}}]'
        usage(f"--discovery-namespace-selectors: {text!r} is not JSON such as {example} ({error})")
