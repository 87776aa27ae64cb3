"""How the suite compares an answer with what a table expects.  Each function gives what is wrong.

Gateway API: conformance/utils/http/http.go (CompareRoundTrip), grpc/grpc.go, echo/pod.go.  What
the mesh and gRPC comparers leave out though the tables state it is compared too.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from conformance.observed import Observed

TIMEOUTS = {408, 504}
REDIRECTS = {300, 301, 302, 303, 304, 305, 307, 308}
DEFAULT_PORTS = {"http": {"", "80"}, "https": {"", "443"}}

Expected = dict[str, Any]


def round_trip(
    expected: Expected, got: Observed, scheme: str, path: str, *, host: str = ""
) -> list[str]:
    """An HTTP answer.  `path` is what was asked for, `host` under which authority."""
    if got.error:
        return [got.error]
    statuses = expected["statuses"]
    if got.status in TIMEOUTS and TIMEOUTS & set(statuses):
        return []
    if got.status not in statuses:
        return [f"status {got.status}, not {statuses}; {got.told or got.headers}"]
    wrong = []
    if expected.get("protocol") not in {None, got.protocol}:
        wrong.append(f"protocol {got.protocol}, not {expected['protocol']}")
    if got.status in {200, 204}:
        wrong += _backend(expected, got)
        wrong += _answered(expected.get("responseHeaders", {}), got)
    elif got.status in REDIRECTS and expected.get("redirect") is not None:
        wrong += _redirected(expected["redirect"], got, scheme, path, host)
    return wrong


def _backend(expected: Expected, got: Observed) -> list[str]:
    wrong = []
    arrived = expected.get("backendRequest", {})
    for field, seen in (("host", "host"), ("path", "path"), ("method", "method")):
        if arrived.get(field) and got.told.get(seen, "") != arrived[field]:
            wrong.append(f"{field} {got.told.get(seen)!r} arrived, not {arrived[field]!r}")
    if arrived.get("httpPort") and got.told.get("httpPort") != str(arrived["httpPort"]):
        wrong.append(f"at port {got.told.get('httpPort')}, not {arrived['httpPort']}")
    for name, value in arrived.get("headers", {}).items():
        if got.arrived(name) != value:
            wrong.append(f"header {name}: {got.arrived(name)!r} arrived, not {value!r}")
    wrong += [
        f"header {name}: {got.arrived(name)!r} arrived, which must not"
        for name in arrived.get("absentHeaders", ())
        if got.arrived(name) is not None
    ]
    return wrong if arrived.get("none") else wrong + _who(expected, got)


def _who(expected: Expected, got: Observed) -> list[str]:
    """Which backend it was, and what was agreed with it by TLS."""
    wrong = []
    arrived = expected.get("backendRequest", {})
    if expected.get("namespace") and got.told.get("namespace", "") != expected["namespace"]:
        wrong.append(f"namespace {got.told.get('namespace')!r}, not {expected['namespace']}")
    if not str(got.told.get("pod", "")).startswith(expected.get("backend", "")):
        wrong.append(f"pod {got.told.get('pod')!r}, not {expected['backend']}")
    tls = got.told.get("tls") or {}
    if arrived.get("sni") and tls.get("serverName") != arrived["sni"]:
        wrong.append(f"SNI {tls.get('serverName')!r}, not {arrived['sni']}")
    if arrived.get("clientCert") and arrived["clientCert"].strip() not in [
        each.strip() for each in tls.get("peerCertificates", ())
    ]:
        wrong.append("the client certificate did not arrive")
    return wrong


def _answered(wanted: Expected, got: Observed) -> list[str]:
    def plain(value: str | None) -> str | None:
        return value.replace(" ", "") if value and wanted.get("ignoreWhitespace") else value

    wrong = []
    for name, value in wanted.get("set", {}).items():
        if plain(got.header(name)) != plain(value):
            wrong.append(f"answered {name}: {got.header(name)!r}, not {value!r}")
    for name, values in wanted.get("oneOf", {}).items():
        if plain(got.header(name)) not in [plain(each) for each in values]:
            wrong.append(f"answered {name}: {got.header(name)!r}, none of {values!r}")
    wrong += [
        f"answered {name}: {got.header(name)!r}, which must not"
        for name in wanted.get("absent", ())
        if got.header(name) is not None
    ]
    return wrong


def _redirected(wanted: Expected, got: Observed, scheme: str, path: str, host: str) -> list[str]:
    location = got.header("location")
    if not location:
        return ["a redirect without Location"]
    parts = urlsplit(location)
    seen_scheme = parts.scheme or scheme
    seen_host = parts.hostname or urlsplit(f"//{host}").hostname or ""
    port = "" if parts.port is None else str(parts.port)
    wrong = []
    if wanted.get("host") and seen_host != wanted["host"]:
        wrong.append(f"host {seen_host}, not {wanted['host']}")
    if wanted.get("port"):
        if port != str(wanted["port"]):
            wrong.append(f"port {port!r}, not {wanted['port']}")
    elif seen_scheme in DEFAULT_PORTS and port not in DEFAULT_PORTS[seen_scheme]:
        wrong.append(f"port {port}, neither none nor that of {seen_scheme}")
    if seen_scheme != wanted.get("scheme", scheme):
        wrong.append(f"scheme {seen_scheme}, not {wanted.get('scheme', scheme)}")
    if parts.path != wanted.get("path", path.partition("?")[0]):
        wrong.append(f"path {parts.path}, not {wanted.get('path', path)}")
    return [f"redirected to {location}: {each}" for each in wrong]


def mesh(expected: Expected, got: Observed, path: str) -> list[str]:
    """An answer to a mesh client, with what the table declares besides."""
    declared = expected.get("declaredButNotCheckedUpstream", {})
    wrong_path = declared.get("backendRequest", {}).get("path")
    arrived = {**expected.get("backendRequest", {}), **declared.get("backendRequest", {})}
    if wrong_path and arrived.get("path") != path and "rewrit" not in str(arrived["path"]):
        # MeshHTTPRouteNamedRule declares its first case's path for the second one.
        del arrived["path"]
    merged = {**expected, "backendRequest": arrived}
    for field in ("namespace", "redirect"):
        if field in declared:
            merged[field] = declared[field]
    if got.status in {200, 204} or merged.get("redirect"):
        return round_trip(merged, got, "http", path)
    return round_trip(expected, got, "http", path)


def call(expected: Expected, got: Observed, method: str) -> list[str]:
    """A gRPC answer, with headers that arrived, which upstream does not look at."""
    if got.status != expected["code"]:
        return [f"code {got.status}, not {expected['code']}: {got.error}"]
    if got.status != 0:
        return []
    wrong = []
    if got.told["path"] != method:
        wrong.append(f"{got.told['path']} was called, not {method}")
    declared = expected.get("declaredButNotCheckedUpstream", {})
    arrived = {**declared.get("backendRequest", {}), **expected.get("backendRequest", {})}
    return wrong + _backend({**expected, "backendRequest": arrived}, got)


def dialog(expected: Expected, got: Observed) -> list[str]:
    """The suite's talk by TCP."""
    if got.error:
        return [got.error]
    wrong = []
    tls = "true" if expected["backendIsTLS"] else "false"
    said = ["Gateway API Test TCP Server\n", "PONG\n", f"{tls}\n"]
    if got.told["said"] != said:
        wrong.append(f"said {got.told['said']}, not {said}")
    if got.told["namespace"] != expected["namespace"]:
        wrong.append(f"namespace {got.told['namespace']}, not {expected['namespace']}")
    if not got.told["pod"].startswith(f"{expected['backend']}-"):
        wrong.append(f"pod {got.told['pod']}, not {expected['backend']}")
    sni = (got.told.get("tls") or {}).get("serverName")
    if expected.get("sni") and sni != expected["sni"]:
        wrong.append(f"SNI {sni!r}, not {expected['sni']}")
    return wrong
