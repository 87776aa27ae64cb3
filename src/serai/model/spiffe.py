"""SPIFFE identities of workloads, as Istio writes them."""

from __future__ import annotations


def spiffe_id(trust_domain: str, identity: str) -> str:
    """The URI of an identity (``namespace/serviceaccount``), as certificates have it."""
    namespace, _, account = identity.partition("/")
    return f"spiffe://{trust_domain}/ns/{namespace}/sa/{account}"


def spiffe_prefix(trust_domain: str, namespace: str) -> str:
    """What the URIs of all identities of a namespace begin with."""
    return f"spiffe://{trust_domain}/ns/{namespace}/sa/"
