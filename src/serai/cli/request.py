"""``serai request``: be a client of the mesh for one request, and see who answers."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
import typer

from serai.cli.options import ADMIN, Admin, Direct, Via, way
from serai.cli.output import Exit, Format, structured, talk, usage, writing

if TYPE_CHECKING:
    from serai.app.client.request import Asked, Outcome
    from serai.web.enter import WayIn

_HTTP_ERROR = 400
_FAILED_BY_STATUS = 22
"""As curl's own exit code for --fail."""


Url = Annotated[str, typer.Argument(help="Such as http://payments.example/v1/charge.")]
As = Annotated[
    str,
    typer.Option(
        "--as", metavar="IDENTITY", help="The caller: spiffe://..., or NAMESPACE/SERVICEACCOUNT."
    ),
]
Hbone = Annotated[
    bool, typer.Option("--hbone", help="Through a tunnel (HBONE), not by the PROXY protocol.")
]
Identity = Annotated[
    Path | None,
    typer.Option(
        metavar="FOLDER",
        help="With --hbone: cert-chain.pem, key.pem and root-cert.pem of the caller.",
        exists=True,
        file_okay=False,
    ),
]
Method = Annotated[
    str, typer.Option("--request", "-X", metavar="METHOD", help="GET, or POST with -d.")
]
Header = Annotated[
    list[str] | None,
    typer.Option("--header", "-H", metavar="NAME: VALUE", help="In place of the usual one."),
]
Data = Annotated[
    list[str] | None,
    typer.Option("--data", "-d", metavar="DATA", help="A body; @FILE reads it, @- from stdin."),
]
Insecure = Annotated[bool, typer.Option("--insecure", "-k", help="Take any certificate.")]
Include = Annotated[bool, typer.Option("--include", "-i", help="Print the answer's headers too.")]
Verbose = Annotated[bool, typer.Option("--verbose", "-v", help="Tell all that is sent.")]
Fail = Annotated[bool, typer.Option("--fail", help="End with 22 where the status is 400 or above.")]
MaxTime = Annotated[float, typer.Option(metavar="SECONDS", help="How long it may take.", min=0.001)]
Output = Annotated[
    Format | None, typer.Option("-o", "--output", help="Print all that is known in this form.")
]


def request(
    url: Url,
    *,
    as_: As = "",
    via: Via = "",
    direct: Direct = False,
    hbone: Hbone = False,
    identity: Identity = None,
    method: Method = "",
    header: Header = None,
    data: Data = None,
    insecure: Insecure = False,
    include: Include = False,
    verbose: Verbose = False,
    fail: Fail = False,
    max_time: MaxTime = 30.0,
    output: Output = None,
    admin: Admin = ADMIN,
) -> None:
    """Send a request as a client of the mesh would, and say who answered.

    The host is resolved to its address in the mesh by a running `serai run`, and the request goes
    to the waypoint that captured it.  The body is printed to standard output, the rest to
    standard error.  An answer with an error status is an answer: see --fail.
    """
    asked = _asked(url, method, header or [], data or [], as_, way(via, direct=direct))
    asked = msgspec.structs.replace(
        asked,
        verify=not insecure,
        max_seconds=max_time,
        hbone=hbone or identity is not None,
        identity=str(identity or ""),
    )
    outcome = _sent(asked, _way_in(asked, admin), verbose=verbose)
    if output:
        structured(_plain(asked, outcome), output)
    else:
        _print(outcome, headers=include, verbose=verbose, silent=fail)
    if fail and outcome.answer.status >= _HTTP_ERROR:
        raise typer.Exit(_FAILED_BY_STATUS)


def _asked(url: str, method: str, headers: list[str], data: list[str], as_: str, via: str) -> Asked:
    from serai.app.client.request import Asked  # noqa: PLC0415

    return Asked(
        url=url,
        method=method or ("POST" if data else "GET"),
        headers=tuple(_header(each) for each in headers),
        body=b"&".join(_data(each) for each in data),
        as_=as_,
        via=via,
    )


def _way_in(asked: Asked, admin: str) -> WayIn:
    from serai.web.client import AdminClient  # noqa: PLC0415
    from serai.web.errors import RefusedError, UnreachableError  # noqa: PLC0415

    try:
        return AdminClient(admin).way_in(asked.question)
    except UnreachableError as error:
        said = str(error).partition("\n")[0].rstrip(".")
        talk(f"error: {said}: start `serai run PATH` first, or name another instance with --admin")
        raise typer.Exit(Exit.UNREACHABLE) from None
    except RefusedError as error:
        talk("error: " + str(error).replace("\n", "\n    "))
        raise typer.Exit(Exit.FAILED) from None


def _sent(asked: Asked, way: WayIn, *, verbose: bool) -> Outcome:
    from serai.api.problem import Problem  # noqa: PLC0415
    from serai.app.client.request import ask, http_request  # noqa: PLC0415

    if verbose:
        sent, _ = http_request(asked, way)
        talk(_way(way))
        talk(f"> {sent.method} {sent.target} HTTP/1.1")
        for name, value in sent.headers:
            talk(f"> {name}: {value}")
    try:
        outcome = asyncio.run(ask(asked, way))
    except ValueError as error:
        usage(f"this is no HTTP request: {error}")
    if isinstance(outcome, Problem):
        talk(f"error: {outcome.message}\n    {outcome.remedy}")
        raise typer.Exit(Exit.FAILED)
    return outcome


def _way(way: WayIn) -> str:
    from serai.app.client.request import entry  # noqa: PLC0415
    from serai.model.addresses import with_port  # noqa: PLC0415
    from serai.trace.request import Destination  # noqa: PLC0415

    start = entry(way)
    parts = [f"* connecting to {way.gateway} at {start.shown}"]
    to = way.trace.request.way
    if isinstance(to, Destination) and to.hbone:
        parts.append(f"HBONE for {with_port(to.address, to.port)}")
    if start.destination:
        caller = f"as {start.principal}" if start.principal else "without an identity"
        parts.append(f"PROXY header for {with_port(*start.destination)} {caller}")
    return ", ".join(parts)


def _print(outcome: Outcome, *, headers: bool, verbose: bool, silent: bool) -> None:
    answer = outcome.answer
    status = f"{answer.version} {answer.status} {answer.reason}".rstrip()
    written = [f"{name}: {value}" for name, value in answer.headers]
    talk(f"< {status}" if verbose else status)
    for line in written if verbose else ():
        talk(f"< {line}")
    talk(outcome.via)
    if silent and answer.status >= _HTTP_ERROR:
        return
    with writing():
        if headers:
            typer.echo("\r\n".join([status, *written, "", ""]), nl=False)
        sys.stdout.flush()
        sys.stdout.buffer.write(answer.body)
        if sys.stdout.isatty() and not answer.body.endswith(b"\n"):
            sys.stdout.buffer.write(b"\n")
        sys.stdout.buffer.flush()


def _plain(asked: Asked, outcome: Outcome) -> dict[str, Any]:
    from serai.views.row import API_VERSION  # noqa: PLC0415

    answer, line = outcome.answer, outcome.line
    return {
        "apiVersion": API_VERSION,
        "kind": "Answer",
        "request": {
            "method": asked.method,
            "url": asked.url,
            "as": outcome.way.trace.request.principal or "",
        },
        "status": answer.status,
        "reason": answer.reason,
        "version": answer.version,
        "headers": [list(pair) for pair in answer.headers],
        "body": answer.body.decode(errors="replace"),
        "milliseconds": round(answer.seconds * 1000, 1),
        "gateway": outcome.way.gateway,
        "service": outcome.way.service,
        "route": outcome.route,
        "cluster": (line.upstream_cluster if line else "") or "",
        "endpoint": outcome.endpoint,
        "identity": (line.peer_principal if line else "") or "",
        "via": outcome.via,
    }


def _header(text: str) -> tuple[str, str]:
    name, colon, value = text.partition(":")
    if not colon or not name.strip():
        usage(f"-H {text!r} is not NAME: VALUE")
    return name.strip(), value.strip()


def _data(text: str) -> bytes:
    if not text.startswith("@"):
        return text.encode()
    try:
        return sys.stdin.buffer.read() if text == "@-" else Path(text[1:]).read_bytes()
    except OSError as error:
        usage(f"-d {text}: {error.strerror or error}")
