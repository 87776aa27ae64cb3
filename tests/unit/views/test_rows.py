"""Rows of gateways, routes, policies and listings beyond what transcripts show."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from serai.api.meta import Key
from serai.api.problem import Problem
from serai.views.gateways import gateway_rows
from serai.views.listing import Table, aligned
from serai.views.listings import GATEWAYS, LISTINGS, SERVICES, by_word, nearest_word
from serai.views.policies import POLICY_KINDS
from serai.views.routes import route_rows
from serai.views.state import EnvoyState, Facts
from unit.views.worlds import SHOP, state_of, written

ROUTES = """\
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: theirs}
spec: {gatewayClassName: nginx, listeners: [{name: http, port: 80, protocol: HTTP}]}
---
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: ours}
spec:
  gatewayClassName: serai
  listeners: [{name: tcp, port: 81, protocol: SCTP}]
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: r}
spec:
  parentRefs:
    - {name: theirs}
    - {name: ours, sectionName: tcp, port: 81}
    - {group: '', kind: Service, name: absent, port: 80}
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: orphan}
"""


def test_a_gateway_that_serves_nothing_says_why(tmp_path: Path) -> None:
    (row,) = gateway_rows(written(tmp_path, ROUTES))

    assert row.name == "ours" and row.status != "Programmed" and row.message


@pytest.mark.parametrize(
    ("code", "status"), [("SER0904", "Port taken"), ("SER0907", "Port not allowed")]
)
def test_a_port_that_cannot_be_had_is_the_state_of_its_gateway(code: str, status: str) -> None:
    problem = Problem(code, "error", "Port 1 is not for us.", "", Key("Gateway", "infra", "edge"))
    state = msgspec.structs.replace(state_of(SHOP), problems=(problem,))

    rows = {row.name: row for row in gateway_rows(state)}

    assert (rows["edge"].status, rows["edge"].message) == (status, "Port 1 is not for us.")
    assert rows["waypoint"].status == "Programmed"


def test_the_state_of_an_envoy_is_the_state_of_its_gateway() -> None:
    starting = EnvoyState("infra/edge", "starting", admin="127.0.0.1:19000")
    facts = Facts(envoys=(starting,))

    rows = {row.name: row for row in gateway_rows(state_of(SHOP, facts=facts))}

    assert (rows["edge"].status, rows["edge"].message) == (
        "Envoy starting",
        "its Envoy is starting",
    )
    assert rows["waypoint"].status == "Programmed"
    assert (rows["edge"].admin, rows["waypoint"].admin) == ("127.0.0.1:19000", "")


@pytest.mark.parametrize("word", ["httproutes", "tcproute"])
def test_a_kind_of_route_stands_for_its_own_alone(word: str, tmp_path: Path) -> None:
    found = by_word(word)
    assert found is not None
    listing, meant = found

    bytes_too = ROUTES.split("---\n")[2].replace("HTTPRoute", "TCPRoute")
    bytes_too += "  rules: [{backendRefs: [{name: s, port: 80}]}]\n"
    state = written(tmp_path, f"{ROUTES}---\n{bytes_too}")
    rows = [row for row in listing.rows(state) if meant(row)]

    assert rows and {row.kind.lower() for row in rows} == {word.rstrip("s")}


def test_each_parent_is_a_row(tmp_path: Path) -> None:
    rows = route_rows(written(tmp_path, ROUTES))

    assert [(row.name, row.parent, row.accepted, row.reason) for row in rows] == [
        ("orphan", "none", None, "NotOurs"),
        ("r", "Gateway default/theirs", None, "NotOurs"),
        ("r", "Gateway default/ours section tcp port 81", False, "NotAllowedByListeners"),
        ("r", "Service default/absent port 80", False, "NoMatchingParent"),
    ]


def test_policies_are_the_kinds_with_targets() -> None:
    assert {"TrafficPolicy", "AuthorizationPolicy", "BackendTLSPolicy"} <= POLICY_KINDS.keys()
    assert not {"Gateway", "HTTPRoute", "DestinationRule"} & POLICY_KINDS.keys()


@pytest.mark.parametrize("listing", LISTINGS, ids=lambda listing: listing.name)
def test_every_row_reads_back_from_json(listing: type) -> None:
    found = by_word(listing.name)  # type: ignore[attr-defined]  # a Listing
    assert found is not None

    for row in found[0].rows(state_of(SHOP)):
        assert msgspec.json.decode(msgspec.json.encode(row), type=found[0].row) == row


def test_words_for_listings() -> None:
    found = by_word("SVC")

    assert found is not None and found[0] is SERVICES
    assert by_word("pods") is None
    assert nearest_word("gatway") == "gateway" and nearest_word("xyzzy") == ""


def test_a_table_is_aligned_and_has_no_empty_cell() -> None:
    lines = aligned(GATEWAYS, gateway_rows(state_of(SHOP)), wide=True)

    assert len({line.index("serai" if index else "CLASS") for index, line in enumerate(lines)}) == 1
    assert all(line == line.rstrip() for line in lines)
    assert "None" in lines[1]


def test_a_table_keeps_its_columns_when_more_rows_come() -> None:
    edge, waypoint = gateway_rows(state_of(SHOP))
    table = Table(GATEWAYS)
    first = table.fit([waypoint])[0]
    later = table.fit([edge])[0]

    assert [len(cell) for cell in first] == [len(cell) for cell in later]
