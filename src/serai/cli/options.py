"""Options and arguments that several commands have, each written down once."""

from __future__ import annotations

import functools
import inspect
import re
from collections.abc import Callable
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from serai.cli.output import usage
from serai.model.settings import LOOPBACK, NO_RANGE, Settings

ADMIN = "127.0.0.1:9095"
"""Where a running instance has its console, its admin API and its metrics."""


def _readable(paths: list[Path] | None) -> list[Path] | None:
    for path in paths or ():
        if not path.is_file() and not path.is_dir():
            said = f"path '{path}' is neither a file nor a folder; write manifests to a file first"
            raise typer.BadParameter(said)
    return paths


def _admin(value: str) -> str:
    host, _, port = value.rpartition(":")
    if not host or "/" in host or not port.isdecimal() or int(port) > _LAST_PORT:
        raise typer.BadParameter(f"{value!r} is not an address such as {ADMIN}")
    return value


_LAST_PORT = 65535

Paths = Annotated[
    list[Path],
    typer.Argument(
        metavar="PATH...",
        help="Files, or folders to read recursively: YAML and JSON.",
        exists=True,
        callback=_readable,
        show_default=False,
    ),
]

Files = Annotated[
    list[Path] | None,
    typer.Option(
        "--file",
        "-f",
        metavar="PATH",
        help="Read these files and folders, instead of asking a running instance.",
        exists=True,
        callback=_readable,
    ),
]

Admin = Annotated[
    str,
    typer.Option(
        "--admin",
        envvar="SERAI_ADMIN",
        metavar="HOST:PORT",
        help="The running instance to ask.",
        callback=_admin,
    ),
]

Namespace = Annotated[
    str, typer.Option("--namespace", "-n", metavar="NS", help="Only what is in this namespace.")
]

AllNamespaces = Annotated[
    bool,
    typer.Option("--all-namespaces", "-A", help="Of every namespace, which goes without saying."),
]

Via = Annotated[
    str,
    typer.Option(
        "--via",
        metavar="NS/NAME",
        help="Through this Gateway, as a client outside would; loopback: as --direct.",
    ),
]

Direct = Annotated[
    bool,
    typer.Option("--direct", help="Connect to the VIP itself, if it is on loopback."),
]

_DIRECTLY = "loopback"
"""As serai.trace.resolve names that way, which the command line need not load to say it."""


def way(via: str, *, direct: bool) -> str:
    """The way that a request is to take, as a question has it; both at once is a wrong use."""
    if direct and via not in {"", _DIRECTLY}:
        usage("--via and --direct exclude each other")
    return _DIRECTLY if direct else via


_DOMAIN = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")


def _domain(value: str) -> str:
    if not _DOMAIN.fullmatch(value):
        raise typer.BadParameter(f"{value!r} is not a domain such as cluster.local")
    return value


def _address(value: str) -> str:
    try:
        return str(ip_address(value))
    except ValueError:
        raise typer.BadParameter(f"{value!r} is not an IP address such as 127.0.0.1") from None


def _service(value: str) -> str:
    host, _, port = value.rpartition(":")
    if not value or value.startswith("unix:///") or (host and port.isdecimal()):
        return value
    raise typer.BadParameter(f"{value!r} is not HOST:PORT, nor unix:///PATH")


def _ranges(values: list[str] | None) -> list[str]:
    try:
        return [str(ip_network(each, strict=False)) for each in values or ()]
    except ValueError as error:
        raise typer.BadParameter(f"{error}; write a range such as 10.1.0.0/16") from None


def _range(version: int, example: str) -> Callable[[str], str]:
    def checked(value: str) -> str:
        if value in {"", NO_RANGE}:
            return value
        try:
            network = ip_network(value)
        except ValueError:
            network = None
        if network is None or network.version != version or network.num_addresses == 1:
            raise typer.BadParameter(f"{value!r} is not a range such as {example}, nor none")
        return str(network)

    return checked


def _option(name: str, help_: str, **more: Any) -> Any:
    env = "SERAI_" + name.upper().replace("-", "_")
    return typer.Option(f"--{name}", envvar=env, help=help_, **more)


_ClusterDomain = Annotated[
    str,
    _option(
        "cluster-domain",
        "The end of every Service's name.",
        metavar="DOMAIN",
        callback=_domain,
    ),
]

_TrustDomain = Annotated[
    str,
    _option("trust-domain", "The trust domain of identities.", metavar="DOMAIN", callback=_domain),
]

_Family = Annotated[
    Literal["V4_PREFERRED", "V4_ONLY", "V6_ONLY", "ALL", "AUTO"],
    _option("dns-lookup-family", "Which addresses Envoy takes of a name it looks up."),
]

_Resolved = Annotated[
    list[str] | None,
    _option(
        "allow-resolved",
        "A range that hosts under a wildcard may resolve to though it is not public; repeatable.",
        metavar="CIDR",
        callback=_ranges,
    ),
]
_Aliases = Annotated[
    list[str] | None,
    _option(
        "trust-domain-alias",
        "A former name of the trust domain, which identities in policies may have.",
        metavar="DOMAIN",
    ),
]
_RootNamespace = Annotated[
    str,
    _option(
        "root-namespace",
        "Whose policies and DestinationRules may be for all.",
        metavar="NAMESPACE",
    ),
]
_Bind = Annotated[
    str, _option("bind", "The address on which gateways listen.", metavar="IP", callback=_address)
]

_VipRangeV4 = Annotated[
    str,
    _option(
        "vip-range-v4",
        "From which services without an address get one, or none; else 127.80.0.0/16.",
        metavar="RANGE",
        callback=_range(4, "127.80.0.0/16"),
        show_default=False,
    ),
]

_VipRangeV6 = Annotated[
    str,
    _option(
        "vip-range-v6",
        "Likewise of IPv6, such as Istio's 2001:2::/48; else they get none.",
        metavar="RANGE",
        callback=_range(6, "2001:2::/48"),
        show_default=False,
    ),
]


_Locality = Annotated[
    str,
    _option(
        "locality",
        "Where the Envoys run that do not say it themselves: what is near is tried first.",
        metavar="REGION/ZONE/SUBZONE",
        show_default=False,
    ),
]
_Network = Annotated[
    str, _option("network", "Likewise, the network.", metavar="NAME", show_default=False)
]
_Node = Annotated[
    str, _option("node", "Likewise, the machine.", metavar="NAME", show_default=False)
]
_ClusterId = Annotated[
    str, _option("cluster-id", "The name of this Kubernetes cluster among others.", metavar="NAME")
]
_SharedServices = Annotated[
    Literal["labelled", "all"],
    _option("shared-services", "Which services are one in all clusters; by istio.io/global."),
]
_SystemCertificates = Annotated[
    str,
    _option(
        "system-certificates",
        "Whom wellKnownCACertificates: System trusts, a file where the Envoys run.",
        metavar="FILE",
    ),
]


_JwksRefresh = Annotated[
    float,
    _option(
        "jwks-refresh",
        "How often the keys of issuers of tokens are fetched, unless a policy says.",
        metavar="SECONDS",
        min=1,
    ),
]
_IdentityFolder = Annotated[
    str,
    _option(
        "identity-folder",
        "Where waypoints' certificates of the mesh are, for HBONE; else they are made here.",
        metavar="FOLDER",
        callback=lambda value: str(Path(value).absolute()) if value else "",
        show_default=False,
    ),
]
_ProxyBind = Annotated[
    list[str] | None,
    _option(
        "proxy-bind",
        "Where waypoints take the PROXY protocol, which is believed; repeatable.",
        metavar="IP",
        callback=lambda values: [_address(each) for each in values or ()],
        show_default=False,
    ),
]


_RateLimitService = Annotated[
    str,
    _option(
        "rate-limit-service",
        "Where Serai's own rate limit service is; else `serai run` starts one where it is needed.",
        metavar="ADDR",
        callback=_service,
        show_default=False,
    ),
]


def settings(
    *,
    cluster_domain: _ClusterDomain = "cluster.local",
    trust_domain: _TrustDomain = "cluster.local",
    trust_domain_alias: _Aliases = None,
    root_namespace: _RootNamespace = "istio-system",
    cluster_names: Annotated[
        Literal["serai", "istio"],
        _option("cluster-names", "Whose names Envoy's clusters have: kube_... or outbound|...."),
    ] = "serai",
    bind: _Bind = "127.0.0.1",
    dns_lookup_family: _Family = "V4_PREFERRED",
    allow_resolved: _Resolved = None,
    identity_folder: _IdentityFolder = "",
    proxy_bind: _ProxyBind = None,
    vip_range_v4: _VipRangeV4 = "",
    vip_range_v6: _VipRangeV6 = "",
    locality: _Locality = "",
    network: _Network = "",
    node: _Node = "",
    cluster_id: _ClusterId = "Kubernetes",
    shared_services: _SharedServices = "labelled",
    rate_limit_service: _RateLimitService = "",
    system_certificates: _SystemCertificates = "/etc/ssl/certs/ca-certificates.crt",
    jwks_refresh: _JwksRefresh = 300.0,
) -> Settings:
    """What the operator decides for all objects at once; these are the options for it."""
    given: dict[str, Any] = dict(locals())
    given.pop("trust_domain_alias")
    given["jwks_refresh_seconds"] = given.pop("jwks_refresh")
    lists = {
        "allow_resolved": tuple(allow_resolved or ()),
        "proxy_bind": tuple(proxy_bind or LOOPBACK),
        "trust_domain_aliases": tuple(trust_domain_alias or ()),
    }
    return Settings(**{**given, **lists})


def with_settings(command: Callable[..., None]) -> Callable[..., None]:
    """A command with a parameter `settings`, which is filled from options of its own."""
    own = inspect.signature(command, eval_str=True)
    theirs = inspect.signature(settings, eval_str=True).parameters

    @functools.wraps(command)
    def filled(*args: Any, **more: Any) -> None:
        given = {name: more.pop(name) for name in theirs}
        command(*args, settings=settings(**given), **more)

    kept = [each for name, each in own.parameters.items() if name != "settings"]
    signature = own.replace(parameters=[*kept, *theirs.values()])
    filled.__signature__ = signature  # type: ignore[attr-defined]  # what typer reads
    filled.__annotations__ = {each.name: each.annotation for each in signature.parameters.values()}
    return filled
