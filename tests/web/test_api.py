"""The admin API answers with the rows that `serai get -f` has, and only to this machine."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from starlette.testclient import TestClient

from serai.telemetry.metrics import METRICS
from serai.views.listings import LISTINGS
from serai.views.row import row_list
from serai.web.app import admin_app
from web.instances import WORLDS, FolderInstance


@pytest.fixture
def instance() -> FolderInstance:
    return FolderInstance(WORLDS / "shop")


@pytest.fixture
def client(instance: FolderInstance) -> Iterator[TestClient]:
    with TestClient(admin_app(instance), base_url="http://127.0.0.1:9095") as client:
        yield client


def get(client: TestClient, path: str, status: int = 200) -> Any:
    response = client.get(path)
    assert response.status_code == status, response.text
    return response.json()


@pytest.mark.parametrize("listing", LISTINGS, ids=lambda listing: listing.name)
def test_every_listing_is_there_and_reads_back(
    client: TestClient, instance: FolderInstance, listing: Any
) -> None:
    answer = get(client, f"/api/v1/{listing.name}")

    rows = listing.rows(instance.state())
    assert answer == json.loads(msgspec.json.encode(row_list(listing.kind, rows)))
    assert [msgspec.convert(item, listing.row) for item in answer["items"]] == rows


def test_rows_are_of_one_namespace_and_of_a_narrower_kind(client: TestClient) -> None:
    assert get(client, "/api/v1/services?namespace=infra")["items"] == []
    entries = get(client, "/api/v1/se")["items"]
    assert [row["name"] for row in entries] == ["legacy", "payments"]


def test_what_runs_is_seen_in_the_rows(client: TestClient) -> None:
    gateways = {row["name"]: row for row in get(client, "/api/v1/gateways")["items"]}
    services = {row["name"]: row["endpoints"] for row in get(client, "/api/v1/services")["items"]}
    clients = {row["gateway"]: row["state"] for row in get(client, "/api/v1/clients")["items"]}

    assert gateways["edge"]["status"] == "Programmed"
    assert gateways["waypoint"]["status"] == "Envoy crash-looping"
    assert services["reviews"] == {"ready": 0, "total": 2}
    assert services["payments"] == {"ready": 1, "total": 2}
    assert clients == {
        "infra/edge": "behind",
        "infra/waypoint": "rejects 1",
        "else/lost": "unknown gateway",
    }


def test_envoys_are_asked_only_by_who_shows_what_they_say(
    client: TestClient, instance: FolderInstance
) -> None:
    def asks(path: str) -> bool:
        instance.asked.clear()
        client.get(path)
        (health,) = instance.asked
        return health

    assert [each.name for each in LISTINGS if asks(f"/api/v1/{each.name}")] == [
        "services",
        "backends",
        "endpoints",
    ]
    assert asks("/api/v1/explain?what=payments.example.com") and asks("/")
    assert not asks("/api/v1/translate") and not asks("/metrics")


def test_what_there_is_no_listing_of_is_told(client: TestClient) -> None:
    message = get(client, "/api/v1/pods", 404)["message"]

    assert "there is no 'pods' to get" in message and "services" in message


def test_explanations(client: TestClient) -> None:
    found = get(client, "/api/v1/explain?what=payments.example.com")
    absent = get(client, "/api/v1/explain?what=paymnts.example.com", 404)

    assert [each["name"] for each in found["found"]] == ["payments"]
    assert "did you mean payments.example.com?" in absent["message"]
    assert get(client, "/api/v1/explain", 400)["kind"] == "Error"


def test_the_configuration(client: TestClient) -> None:
    whole = get(client, "/api/v1/translate?gateway=infra/edge&only=clusters")
    dump = get(client, "/api/v1/translate?gateway=infra/edge&form=config-dump")

    clusters = whole["gateways"]["infra/edge"]["clusters"]
    assert [cluster["name"] for cluster in clusters] == ["kube_shop_reviews_9080"]
    assert dump["configs"][0]["@type"].endswith("ClustersConfigDump")
    assert "no Gateway" in get(client, "/api/v1/translate?gateway=a/b", 404)["message"]
    assert "of one Gateway" in get(client, "/api/v1/translate?form=config-dump", 400)["message"]
    assert "no key cluster" in get(client, "/api/v1/translate?only=cluster", 400)["message"]


def test_a_trace(client: TestClient) -> None:
    answer = client.post(
        "/api/v1/trace", json={"url": "http://reviews.shop:9080/", "as": "shop/me"}
    )

    found = answer.json()
    assert found["reachesABackend"] and found["steps"][0]["what"] == "captured"
    assert found["outcome"]["shares"][0]["cluster"] == "kube_shop_reviews_9080"


@pytest.mark.parametrize(
    ("body", "kind", "status"),
    [
        (b"{}", "application/json", 400),
        (b"no JSON", "application/json", 400),
        (b'{"url": "http://a", "who": "b"}', "application/json", 400),
        (b'{"url": "' + b"a" * 300_000 + b'"}', "application/json", 400),
        (b'{"url": "http://a"}', "text/plain", 415),
    ],
)
def test_a_question_that_is_none(client: TestClient, body: bytes, kind: str, status: int) -> None:
    for path in ("/api/v1/trace", "/api/v1/enter"):
        answer = client.post(path, content=body, headers={"Content-Type": kind})

        assert answer.status_code == status and answer.json()["kind"] == "Error"


def test_one_question_leads_to_a_trace_and_to_the_way_in(client: TestClient) -> None:
    question = {"url": "http://reviews.shop:9080/", "as": "shop/me", "headers": [["a", "b"]]}

    traced = client.post("/api/v1/trace", json=question).json()
    entered = client.post("/api/v1/enter", json=question).json()
    nowhere = client.post("/api/v1/enter", json={"url": "http://nothing.example/"})

    assert traced["reachesABackend"] and traced["kind"] == entered["kind"] == "Trace"
    assert entered["connect"] == ["127.0.0.1", 15088]
    assert nowhere.status_code == 404 and nowhere.json()["reason"]


def test_health_and_readiness(client: TestClient, instance: FolderInstance) -> None:
    assert client.get("/healthz").status_code == 200
    assert client.get("/readyz").status_code == 200

    instance.waiting = "the first Envoy"

    assert client.get("/healthz").status_code == 200
    assert client.get("/readyz").status_code == 503
    assert client.get("/readyz").text == "waiting for the first Envoy\n"


def test_every_metric_is_exposed_and_documented(client: TestClient) -> None:
    text = client.get("/metrics").text
    documented = (Path(__file__).parents[2] / "docs/cli.md").read_text()

    for metric in METRICS:
        name = f"{metric.name}_total" if metric.kind == "counter" else metric.name
        assert f"# TYPE {name} {metric.kind}" in text
        assert f"`{name}`" in documented
    assert 'serai_objects{kind="ServiceEntry"} 2.0' in text
    assert (
        'serai_client_resources_rejected{gateway="infra/waypoint",node="waypoint.infra"} 1.0'
        in text
    )
    assert "serai_xds_resources_pushed_total 12.0" in text
    assert "process_cpu_seconds_total" in text


@pytest.mark.parametrize(
    "host", ["localhost", "127.0.0.1:9095", "[::1]:9095", "LOCALHOST:1", "127.8.8.8"]
)
def test_this_machine_may_ask(client: TestClient, host: str) -> None:
    assert client.get("/healthz", headers={"Host": host}).status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "evil.example"},
        {"Host": "127.0.0.1.evil.example:9095"},
        {"Host": "10.0.0.1"},
        {"Host": ""},
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
    ],
)
def test_names_and_pages_of_others_are_refused(client: TestClient, headers: dict[str, str]) -> None:
    response = client.get("/api/v1/services", headers=headers)

    assert response.status_code == 403
    assert "items" not in response.text


def test_a_name_can_be_allowed(instance: FolderInstance) -> None:
    app = admin_app(instance, hosts=frozenset({"serai.example"}))

    with TestClient(app, base_url="http://serai.example:9095") as client:
        assert client.get("/healthz").status_code == 200


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH"])
@pytest.mark.parametrize("path", ["/", "/api/v1/services", "/api/v1/translate", "/metrics"])
def test_nothing_can_be_changed(client: TestClient, method: str, path: str) -> None:
    assert client.request(method, path).status_code == 405
