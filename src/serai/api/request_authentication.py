"""Istio's policies on tokens: RequestAuthentication.  Group security.istio.io."""

from __future__ import annotations

from typing import Literal

import msgspec

from serai.api.meta import Object, Struct
from serai.api.security import PolicyTargetReference


class FromHeader(Struct, frozen=True):
    """spec.jwtRules[].fromHeaders[]."""

    name: str
    prefix: str = ""


class ClaimToHeader(Struct, frozen=True):
    """spec.jwtRules[].outputClaimToHeaders[]."""

    header: str
    claim: str


class JWTRule(Struct, frozen=True):
    """spec.jwtRules[]: an issuer, its keys, where its tokens are, and what becomes of them."""

    issuer: str = ""
    audiences: tuple[str, ...] = ()
    jwks: str = ""
    jwks_uri: str = ""
    former_jwks_uri: str = msgspec.field(default="", name="jwks_uri")
    """The same under its former name, jwks_uri."""
    from_headers: tuple[FromHeader, ...] = ()
    from_params: tuple[str, ...] = ()
    from_cookies: tuple[str, ...] = ()
    output_payload_to_header: str = ""
    output_claim_to_headers: tuple[ClaimToHeader, ...] = ()
    forward_original_token: bool = False
    timeout: str = ""
    presence: Literal["OPTIONAL", "REQUIRED"] = "OPTIONAL"
    space_delimited_claims: tuple[str, ...] = ()


class RequestAuthenticationSpec(Struct, frozen=True):
    """RequestAuthentication.spec."""

    target_refs: tuple[PolicyTargetReference, ...] = ()
    target_ref: PolicyTargetReference | None = None
    """Of former versions; counts where there are no targetRefs."""
    jwt_rules: tuple[JWTRule, ...] = ()


class RequestAuthentication(Object, frozen=True):
    """security.istio.io/v1 RequestAuthentication."""

    spec: RequestAuthenticationSpec = RequestAuthenticationSpec()

    @property
    def targets(self) -> tuple[PolicyTargetReference, ...]:
        """What it names, in the way of former versions too."""
        former = self.spec.target_ref
        return self.spec.target_refs or ((former,) if former else ())
