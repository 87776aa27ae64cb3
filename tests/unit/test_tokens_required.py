"""What routes require of tokens, as it comes and goes: one filter, and never a listener."""

from __future__ import annotations

import pytest

from serai.api.meta import Object, ObjectMeta
from serai.api.request_authentication import (
    JWTRule,
    RequestAuthentication,
    RequestAuthenticationSpec,
)
from serai.api.security import PolicyTargetReference
from serai.app.core import Core
from serai.model.key_sets import Fetched
from serai.policies.tokens.requirement import KeySource
from serai.proto.envoy import JwtAuthentication, TypedExtensionConfig
from serai.translate.claims import claim_path
from serai.translate.tokens import TokenFilter
from serai.xds.resource import ResourceType
from unit.touching import captured, entry, touched

URL = "https://keys.example/keys"
E, R, S = ResourceType.EXTENSION, ResourceType.ROUTES, ResourceType.SCOPE


@pytest.fixture
def core() -> Core:
    return captured()


def policy(issuer: str = "me", name: str = "tokens", to: str = "one") -> RequestAuthentication:
    target = PolicyTargetReference("ServiceEntry", to, "networking.istio.io")
    rule = JWTRule(issuer=issuer, jwks_uri=URL)
    return RequestAuthentication(
        ObjectMeta(name, "shop"), RequestAuthenticationSpec((target,), jwt_rules=(rule,))
    )


def config(core: Core) -> JwtAuthentication:
    [row] = [
        row
        for key, row in core.pipeline.snapshot.items()
        if key.resource.type is E and key.proxy.name == "waypoint"
    ]
    typed = TypedExtensionConfig.FromString(row.body).typed_config
    return JwtAuthentication.FromString(typed.value)


def filters(core: Core) -> TokenFilter:
    [row] = [row for _, row in core.pipeline.translated.tokens.filters.items()]
    return row


def test_a_policy_changes_the_filter_and_the_routes_it_is_for(core: Core) -> None:
    changed = touched(core, policy())
    assert changed == {E: ["serai.tokens"], R: ["http_serviceentry_80_one_shop"]}


def test_keys_change_nothing_but_the_filter(core: Core) -> None:
    core.apply([policy()])
    [(source, _)] = core.pipeline.translated.fetches.items()
    assert source.url == URL
    before = config(core)
    core.pipeline.inputs.key_sets.put(source, Fetched("{}"))
    changes = core.commit().resources["shop/waypoint"]
    assert [key.type for key in changes] == [E]
    assert config(core) != before


def test_equal_wishes_are_one_requirement(core: Core) -> None:
    core.apply([policy(), policy(name="other", to="two"), entry("two", "10.9.0.9")])
    assert len(filters(core).requirements) == 1
    assert len(config(core).providers) == 1


def test_what_is_not_required_any_more_is_kept_for_a_while(core: Core) -> None:
    core.apply([policy()])
    [old] = filters(core).requirements
    core.apply([policy("other")])
    assert {each.name for each in filters(core).requirements} > {old.name}
    core.forget()
    assert old in filters(core).requirements
    core.forget()
    core.forget()
    assert old not in filters(core).requirements
    core.apply([policy()])
    core.apply([], [policy().key])
    core.apply([policy()])
    for _ in range(3):
        core.forget()
    assert filters(core).requirements == (old,)


def test_keys_that_nobody_wants_are_not_fetched(core: Core) -> None:
    assert core.apply([policy()]).fetches
    assert core.apply([policy(to="nobody")]).fetches
    assert dict(core.pipeline.translated.fetches.items()) == {}


def test_an_object_that_names_it_is_told_of_what_cannot_be_fetched(core: Core) -> None:
    core.apply([policy()])
    [(source, _)] = core.pipeline.translated.fetches.items()
    core.pipeline.inputs.key_sets.put(source, Fetched("", "it is down"))
    core.commit()
    [problem] = [each for _, each in core.pipeline.problems.items() if each.code == "SER1010"]
    assert problem.key == policy().key
    assert "it is down" in problem.message


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("@request.auth.claims.role", ("role",)),
        ("@request.auth.claims.a.b", ("a", "b")),
        ("@request.auth.claims[a.b][c]", ("a.b", "c")),
        ("@request.auth.claims", None),
        ("@request.auth.claims.", None),
        ("@request.auth.claims.a..b", None),
        ("@request.auth.claims[a]b", None),
        ("x-role", None),
    ],
)
def test_claims_are_named_as_istio_names_them(name: str, path: tuple[str, ...] | None) -> None:
    assert claim_path(name) == path


def test_a_source_is_what_is_asked_and_how() -> None:
    assert KeySource("a") != KeySource("a", timeout_seconds=1)


def test_nothing_else_is_touched(core: Core) -> None:
    objects: list[Object] = [policy()]
    core.apply(objects)
    assert core.apply(objects).resources == {}
