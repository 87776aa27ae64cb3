"""New paths, and where a redirect points to, computed as Envoy computes them."""

from __future__ import annotations

import re2

from serai.ir.match import PathKind
from serai.ir.route import PathRewrite, Redirect, Route
from serai.trace.match import Facts
from serai.xds.encode.route import encode_rewrite


def rewritten(path: str, rewrite: PathRewrite | None, route: Route) -> str:
    """A path with its query after the rewrite that a route asks for."""
    encoded = encode_rewrite(rewrite, route)
    bare, mark, query = path.partition("?")
    if "prefix_rewrite" in encoded:
        matched = route.match.path
        prefix = matched.value.rstrip("/") if matched.kind is PathKind.PREFIX else bare
        return str(encoded["prefix_rewrite"]) + bare[len(prefix) :] + mark + query
    if "regex_rewrite" in encoded:
        regex = encoded["regex_rewrite"]
        plain = str(regex["substitution"]).replace("\\\\", "\\")
        changed: str = re2.sub(regex["pattern"]["regex"], lambda _: plain, bare)
        return changed + mark + query
    return path


def location(redirect: Redirect, route: Route, facts: Facts) -> str:
    """The Location of a redirect."""
    received = facts.received_scheme
    scheme = redirect.scheme or received
    port = f":{redirect.port}" if redirect.port else ""
    host = redirect.host or _kept_host(facts.authority, received, scheme, port)
    if redirect.path is not None and not redirect.path.prefix:
        _, mark, query = facts.path.partition("?")
        path = redirect.path.value + ("" if "?" in redirect.path.value else mark + query)
    else:
        path = rewritten(facts.path, redirect.path, route)
    return f"{scheme}://{host}{port}{path}"


def _kept_host(authority: str, received: str, scheme: str, port: str) -> str:
    """The request's host; its port goes where the redirect has one, or where it was implied."""
    bare = without_port(authority)
    written = authority[len(bare) :]
    implied = (received, written) in {("https", ":443"), ("http", ":80")} and scheme != received
    return bare if port or implied else authority


def without_port(authority: str) -> str:
    """A host without its port, if it has one."""
    start = authority.rfind(":")
    return authority[:start] if start > authority.rfind("]") else authority
