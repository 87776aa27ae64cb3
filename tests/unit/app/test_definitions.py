"""Which kinds an API server serves, told with what to do about it."""

from __future__ import annotations

import structlog.testing

from serai.api.kinds import KINDS
from serai.app.controller.definitions import APIS, Definitions


def none_served(_: str) -> tuple[str, ...]:
    return ()


def test_what_is_required_and_missing_is_an_error_with_the_command_for_it() -> None:
    found = Definitions(none_served)
    found.look(["Gateway", "HTTPRoute", "TCPRoute", "ServiceEntry"])
    (problem,) = found.problems()
    assert (problem.code, problem.severity) == ("SER1202", "error")
    assert problem.message.endswith("Gateway, HTTPRoute")
    assert problem.remedy.startswith("kubectl apply ")
    assert found.lacks() == problem.message
    assert dict(found.served())["Gateway"] is False
    assert dict(found.served())["GRPCRoute"] is True
    found.look([])
    assert found.problems() == ()
    assert found.lacks() == ""


def test_what_is_served_in_other_versions_only_is_a_warning() -> None:
    found = Definitions(lambda kind: ("v9",) if kind == "ServiceEntry" else ())
    found.look(["ServiceEntry", "TrafficPolicy"])
    (problem,) = found.problems()
    assert (problem.code, problem.severity) == ("SER1203", "warning")
    assert "ServiceEntry is served as v9 only" in problem.message
    assert "v1, v1beta1, v1alpha3" in problem.message


def test_each_is_logged_once_when_it_is_missed_and_once_when_it_appears() -> None:
    found = Definitions(none_served)
    with structlog.testing.capture_logs() as logs:
        for _ in range(3):
            found.look(["Gateway", "ServiceEntry"])
    assert [(each["event"], each["log_level"], each["api"]) for each in logs] == [
        ("crds.missing", "error", "the Gateway API"),
        ("crds.missing", "info", "Istio"),
    ]
    with structlog.testing.capture_logs() as logs:
        found.look(["ServiceEntry"])
        found.look(["ServiceEntry"])
    assert [(each["event"], each["api"], each["kinds"]) for each in logs] == [
        ("crds.served", "the Gateway API", ["Gateway"])
    ]


def test_nothing_is_said_before_it_is_known() -> None:
    found = Definitions(none_served)
    assert (found.problems(), found.served(), found.lacks()) == ((), (), "")


def test_every_kind_that_is_no_part_of_kubernetes_is_of_an_api() -> None:
    groups = {group for api in APIS for group in api.groups}
    assert {kind.group for kind in KINDS} - groups == {"", "discovery.k8s.io"}
    names = {kind.name for kind in KINDS}
    assert all(api.required <= names for api in APIS)
