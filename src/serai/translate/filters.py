"""The filters of an HTTPRoute rule, gathered.  Gateway API: HTTPRouteFilter."""

from __future__ import annotations

from serai.api.httproute import (
    HTTPExternalAuthFilter,
    HTTPHeader,
    HTTPHeaderFilter,
    HTTPPathModifier,
    HTTPRequestMirrorFilter,
    HTTPRequestRedirectFilter,
    HTTPRouteFilter,
    HTTPURLRewriteFilter,
    LocalObjectReference,
)
from serai.ir.origin import Value
from serai.ir.route import NO_MUTATIONS, HeaderMutations, PathRewrite, Redirect
from serai.policies.cors import Cors, cors


class Filters(Value, frozen=True):
    """What the filters of a rule, or of one backendRef, ask for."""

    request_headers: HeaderMutations = NO_MUTATIONS
    response_headers: HeaderMutations = NO_MUTATIONS
    redirect: Redirect | None = None
    rewrite_host: str | None = None
    rewrite_path: PathRewrite | None = None
    mirrors: tuple[HTTPRequestMirrorFilter, ...] = ()
    cors: Cors | None = None
    external_auth: HTTPExternalAuthFilter | None = None
    extensions: tuple[LocalObjectReference, ...] = ()
    unsupported: tuple[str, ...] = ()
    """Types that are not implemented; a filter must not be skipped, so the rule answers 500."""
    fixed_headers: tuple[str, ...] = ()
    """Headers that were to be changed and cannot be: Envoy refuses Host, and names with `:`."""

    @property
    def incompatible(self) -> bool:
        """Whether it is told to redirect and to rewrite, of which only one can be done."""
        rewritten = self.rewrite_host is not None or self.rewrite_path is not None
        return self.redirect is not None and rewritten


def gather(filters: tuple[HTTPRouteFilter, ...], known: frozenset[str]) -> Filters:
    """Gather filters, of which those of a type that is not `known` are unsupported."""
    request, response = NO_MUTATIONS, NO_MUTATIONS
    redirect: HTTPRequestRedirectFilter | None = None
    rewrite: HTTPURLRewriteFilter | None = None
    mirrors: list[HTTPRequestMirrorFilter] = []
    unsupported: list[str] = []
    for each in filters:
        match each:
            case HTTPRouteFilter(type=kind) if kind not in known:
                unsupported.append(kind)
            case HTTPRouteFilter(request_header_modifier=found) if found is not None:
                request = _mutations(found)
            case HTTPRouteFilter(response_header_modifier=found) if found is not None:
                response = _mutations(found)
            case HTTPRouteFilter(request_mirror=found) if found is not None:
                mirrors.append(found)
            case HTTPRouteFilter() if each.cors or each.external_auth or each.extension_ref:
                continue
            case HTTPRouteFilter(type="RequestRedirect"):
                redirect = each.request_redirect
            case HTTPRouteFilter(type="URLRewrite"):
                rewrite = each.url_rewrite
            case _:
                unsupported.append(each.type)
    return Filters(
        request_headers=request,
        response_headers=response,
        redirect=_redirect(redirect) if redirect else None,
        rewrite_host=rewrite.hostname if rewrite else None,
        rewrite_path=_path(rewrite.path) if rewrite and rewrite.path else None,
        mirrors=tuple(mirrors),
        cors=next((cors(each.cors) for each in filters if each.cors), None),
        external_auth=next((each.external_auth for each in filters if each.external_auth), None),
        extensions=tuple(each.extension_ref for each in filters if each.extension_ref),
        unsupported=tuple(unsupported),
        fixed_headers=_fixed(filters),
    )


def _fixed(filters: tuple[HTTPRouteFilter, ...]) -> tuple[str, ...]:
    modifiers = [each.request_header_modifier for each in filters]
    modifiers += [each.response_header_modifier for each in filters]
    names = [
        name
        for each in modifiers
        if each
        for name in (*(header.name for header in (*each.set, *each.add)), *each.remove)
    ]
    return tuple(dict.fromkeys(name for name in names if not _is_changeable(name)))


def _is_changeable(name: str) -> bool:
    return name.lower() != "host" and not name.startswith(":")


def _mutations(found: HTTPHeaderFilter) -> HeaderMutations:
    removed = tuple(name for name in found.remove if _is_changeable(name))
    return HeaderMutations(_pairs(found.set), _pairs(found.add), removed)


def _pairs(headers: tuple[HTTPHeader, ...]) -> tuple[tuple[str, str], ...]:
    return tuple((header.name, header.value) for header in headers if _is_changeable(header.name))


def _redirect(found: HTTPRequestRedirectFilter) -> Redirect:
    return Redirect(
        status=found.status_code,
        scheme=found.scheme,
        host=found.hostname,
        port=found.port,
        path=_path(found.path) if found.path else None,
    )


def _path(found: HTTPPathModifier) -> PathRewrite:
    if found.type == "ReplaceFullPath":
        return PathRewrite(found.replace_full_path or "/", prefix=False)
    return PathRewrite(found.replace_prefix_match or "/", prefix=True)
