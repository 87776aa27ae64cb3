"""An issuer that cannot be asked, which must not end whoever asks it."""

from __future__ import annotations

from serai.app.core import Core
from serai.app.issuers import _Asked, _named, _note
from serai.model.settings import Settings
from unit.policies.one_policy import world_with


def test_one_that_is_away_for_days_is_asked_for_days() -> None:
    asked, core = _Asked(), Core(Settings())
    for _ in range(1200):
        _note(core, "https://login.example", "it answered 503", asked)
    assert asked.failures > 0


def test_what_is_no_url_is_not_asked() -> None:
    core = world_with("""
        apiVersion: gateway.kgateway.dev/v1alpha1
        kind: GatewayExtension
        metadata: {name: login, namespace: shop}
        spec:
          oauth2:
            backendRef: {name: pay, port: 80}
            credentials: {clientID: c, clientSecretRef: {name: keys}}
            issuerURI: "https://[::1"
    """)
    assert list(_named(core)) == []
