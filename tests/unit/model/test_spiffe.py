"""Identities are written in one way, for certificates and for whoever expects them."""

from __future__ import annotations

from serai.model.spiffe import spiffe_id, spiffe_prefix


def test_an_identity_is_a_service_account_of_a_namespace() -> None:
    found = spiffe_id("cluster.local", "shop/cart")

    assert found == "spiffe://cluster.local/ns/shop/sa/cart"
    assert found.startswith(spiffe_prefix("cluster.local", "shop"))
    assert not found.startswith(spiffe_prefix("cluster.local", "sho"))
