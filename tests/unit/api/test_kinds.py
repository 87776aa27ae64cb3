"""The table of kinds: complete, unambiguous, and found by every name people use."""

import pytest

from serai.api import core, gateway, kinds, networking


@pytest.mark.parametrize(
    ("word", "struct"),
    [
        ("svc", core.Service),
        ("ns", core.Namespace),
        ("po", core.Pod),
        ("cm", core.ConfigMap),
        ("gtw", gateway.Gateway),
        ("gw", gateway.Gateway),
        ("gc", gateway.GatewayClass),
        ("se", networking.ServiceEntry),
        ("we", networking.WorkloadEntry),
        ("ServiceEntry", networking.ServiceEntry),
        ("serviceentries", networking.ServiceEntry),
        ("gateways.gateway.networking.k8s.io", gateway.Gateway),
        ("services.v1", core.Service),
    ],
)
def test_by_alias_knows_what_people_type(word: str, struct: type) -> None:
    kind = kinds.by_alias(word)
    assert kind and kind.struct is struct


@pytest.mark.parametrize("word", ["", "svcs", "gateways.networking.istio.io"])
def test_by_alias_does_not_guess(word: str) -> None:
    assert kinds.by_alias(word) is None


def test_older_versions_are_the_same_kind() -> None:
    for version in ("v1", "v1beta1", "v1alpha3"):
        kind = kinds.by_type(f"networking.istio.io/{version}", "ServiceEntry")
        assert kind and version in kind.versions


def test_names_and_aliases_are_unique() -> None:
    aliases = [a for k in kinds.KINDS for a in {k.name.lower(), k.plural, *k.short}]
    assert len(aliases) == len(set(aliases))
    assert len(set(kinds.NAMES)) == len(kinds.KINDS)


def test_preferred_api_version() -> None:
    assert [k.api_version for k in kinds.KINDS if k.name in ("Pod", "Gateway")] == [
        "v1",
        "gateway.networking.k8s.io/v1",
    ]
