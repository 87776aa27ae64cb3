"""What a TrafficPolicy says of who may ask: keys, passwords, conditions and addresses."""

from __future__ import annotations

from serai.api.kgateway import Nothing
from serai.api.meta import Struct


class KeySource(Struct, frozen=True):
    """spec.apiKeyAuth.keySources[]: the header comes before the query, and that before a cookie."""

    header: str | None = None
    query: str | None = None
    cookie: str | None = None


class SecretReference(Struct, frozen=True):
    """A Secret."""

    name: str
    namespace: str | None = None
    group: str = ""
    kind: str = "Secret"


class SecretSelector(Struct, frozen=True):
    """Secrets of the policy's namespace, by their labels."""

    match_labels: dict[str, str]


class APIKeyAuth(Struct, frozen=True):
    """spec.apiKeyAuth; without sources the key is in the header api-key."""

    key_sources: tuple[KeySource, ...] = ()
    forward_credential: bool = False
    client_id_header: str | None = None
    secret_ref: SecretReference | None = None
    secret_selector: SecretSelector | None = None
    disable: Nothing | None = None


class PasswordSecret(Struct, frozen=True):
    """spec.basicAuth.secretRef."""

    name: str
    namespace: str | None = None
    key: str = ".htpasswd"


class BasicAuth(Struct, frozen=True):
    """spec.basicAuth; users are lines of an htpasswd file."""

    users: tuple[str, ...] = ()
    secret_ref: PasswordSecret | None = None
    disable: Nothing | None = None


class Conditions(Struct, frozen=True):
    """spec.rbac.policy: it matches where any of these CEL expressions is true."""

    match_expressions: tuple[str, ...]


class RBAC(Struct, frozen=True):
    """spec.rbac; its action is Allow or Deny."""

    policy: Conditions
    action: str = "Allow"


class ACLRule(Struct, frozen=True):
    """spec.acl.rules[]; its action is allow or deny."""

    action: str
    cidrs: tuple[str, ...]
    name: str = ""


class ACLHeader(Struct, frozen=True):
    """spec.acl.denyResponse.headers[]."""

    name: str
    value: str = ""


class ACLDenyResponse(Struct, frozen=True):
    """spec.acl.denyResponse."""

    status_code: int = 403
    headers: tuple[ACLHeader, ...] = ()
    blocked_by_header_name: str | None = None


class ACL(Struct, frozen=True):
    """spec.acl: of the ranges that have a client's address the narrowest decides."""

    default_action: str
    rules: tuple[ACLRule, ...] = ()
    deny_response: ACLDenyResponse | None = None
