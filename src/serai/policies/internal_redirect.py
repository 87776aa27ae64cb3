"""Redirects that the proxy follows itself.  Envoy: InternalRedirectPolicy."""

from __future__ import annotations

from serai.api.syntax import is_changeable_header
from serai.api.traffic_shaping import InternalRedirect as Spec
from serai.ir.origin import Value
from serai.policies.feature import (
    Asked,
    Compiled,
    Context,
    Encoded,
    Fault,
    Feature,
    Judgement,
    Stage,
)

CODES = frozenset({301, 302, 303, 307, 308})


class Followed(Value, frozen=True):
    """Which redirects are followed, and how many in a row."""

    codes: tuple[int, ...]
    most: int
    across_schemes: bool
    copied: tuple[str, ...]


def _compile(_: Context, spec: Spec) -> Compiled | Fault:
    odd = [code for code in spec.redirect_response_codes if code not in CODES]
    if odd:
        return Fault("redirectResponseCodes", f"{odd[0]} is not the code of a redirect")
    fixed = [each for each in spec.response_headers_to_copy if not is_changeable_header(each)]
    if fixed:
        return Fault("responseHeadersToCopy", f'"{fixed[0]}" is no header that can be copied')
    codes = spec.redirect_response_codes or (302,)
    return Compiled(
        Followed(
            codes,
            spec.max_redirects,
            spec.allow_cross_scheme_redirect,
            spec.response_headers_to_copy,
        )
    )


def _encode(followed: Followed) -> Encoded:
    policy = {
        "max_internal_redirects": {"value": followed.most},
        "redirect_response_codes": followed.codes,
        "allow_cross_scheme_redirect": followed.across_schemes,
        "response_headers_to_copy": followed.copied,
    }
    return Encoded(action={"internal_redirect_policy": policy})


def _judge(followed: Followed, _: Asked) -> Judgement:
    codes = ", ".join(map(str, followed.codes))
    return Judgement(f"redirects by {codes} are followed, up to {followed.most} in a row")


INTERNAL_REDIRECT = Feature(
    name="internalRedirect", stage=Stage.ROUTE, compile=_compile, encode=_encode, judge=_judge
)
