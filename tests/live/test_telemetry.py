"""Who called what, as Istio's dashboards and a reader of access logs ask for it."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import msgspec
import pytest

from live.hbone import WAYPOINT, Mesh, who
from live.serving import Place, Served, answer, request, serving, workload
from live.stats import prometheus
from serai.app.client.hbone import through
from serai.app.client.proxy_protocol import proxy_header

pytestmark = pytest.mark.live

SECONDS = 10.0
WORLD = """
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {{name: partner, namespace: shop, labels: {{istio.io/use-waypoint: waypoint}}}}
spec:
  hosts: [api.partner.example]
  addresses: [240.22.8.1]
  ports:
  - {{number: 80, name: http, protocol: HTTP, targetPort: 3000}}
  - {{number: 90, name: tcp, protocol: TCP, targetPort: 3001}}
  resolution: STATIC
  endpoints: [{{address: {endpoint}}}]
---
apiVersion: v1
kind: Service
metadata: {{name: cart, namespace: shop, labels: {{istio.io/use-waypoint: waypoint}}}}
spec:
  clusterIP: 10.22.8.1
  selector: {{app: cart}}
  ports: [{{name: http, port: 80, targetPort: 3000}}]
---
apiVersion: v1
kind: Pod
metadata: {{name: cart, namespace: shop, labels: {{app: cart}}}}
status: {{podIP: {endpoint}}}
---
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {{name: no-web, namespace: shop}}
spec:
  action: DENY
  targetRefs: [{{group: networking.istio.io, kind: ServiceEntry, name: partner}}]
  rules:
  - from: [{{source: {{serviceAccounts: [web]}}}}]
"""
WEB, BATCH = who("web"), "spiffe://cluster.local/ns/jobs/sa/batch"
Labels = dict[str, str]


@asynccontextmanager
async def called(tmp_path: Path) -> AsyncIterator[tuple[Served, Mesh]]:
    place = Place()
    endpoint = place.address()
    files = {"waypoint.yaml": WAYPOINT, "world.yaml": WORLD.format(endpoint=endpoint)}
    echo = [workload(endpoint, 3000, "p"), workload(endpoint, 3001, "p", tcp=True)]
    async with serving(tmp_path, files, echo, place) as served:
        yield served, Mesh(served, tmp_path / "clients")


async def metrics(
    tmp_path: Path, name: str, least: int, total: int = 1
) -> list[tuple[Labels, float]]:
    """The samples of a metric, once there are that many, which come to that much."""
    async with asyncio.timeout(SECONDS):
        while True:
            lines = await prometheus(tmp_path)
            samples = [each for each in lines if each.startswith(f"envoy_istio_{name}{{")]
            told = [_sample(each) for each in samples]
            if len(told) >= least and sum(value for _, value in told) >= total:
                return told
            await asyncio.sleep(0.1)


def _sample(line: str) -> tuple[Labels, float]:
    labels, _, value = line.rpartition("} ")
    return dict(re.findall(r'(\w+)="([^"]*)"', labels)), float(value)


def _only(found: list[tuple[Labels, float]], **wanted: str) -> tuple[Labels, float]:
    (one,) = [each for each in found if wanted.items() <= each[0].items()]
    return one


async def test_requests_are_counted_by_who_called_what(tmp_path: Path) -> None:
    async with called(tmp_path) as (served, mesh):
        for _ in range(3):
            assert answer(await served.to_vip("240.22.8.1", 80, as_=BATCH)).status == 200
        assert answer(await served.to_vip("240.22.8.1", 80, as_=WEB)).status == 403
        assert answer(await served.to_vip("240.22.8.1", 80)).status == 200
        assert answer(await mesh.ask(mesh.tunnel("10.22.8.1:80", WEB))).status == 200
        grpc = request("/", "x", content_type="application/grpc+proto")
        assert answer(await mesh.ask(mesh.tunnel("10.22.8.1:80", BATCH), grpc)).status == 200
        found = await metrics(tmp_path, "requests_total", 5)
        took = await metrics(tmp_path, "request_duration_milliseconds_count", 5, 7)
    assert all(each["reporter"] == "waypoint" for each, _ in found)
    labels, count = _only(found, source_principal=BATCH, request_protocol="http")
    assert count == 3
    assert labels["source_workload_namespace"] == "jobs"
    assert labels["destination_service"] == "api.partner.example"
    assert labels["destination_service_name"] == "api.partner.example"
    assert labels["destination_service_namespace"] == "shop"
    assert (labels["response_code"], labels["response_flags"]) == ("200", "-")
    assert labels["connection_security_policy"] == "mutual_tls"
    denied, _ = _only(found, source_principal=WEB, response_code="403")
    assert denied["destination_service"] == "api.partner.example"
    nobody, _ = _only(found, source_principal="unknown")
    assert nobody["source_workload_namespace"] == "unknown"
    assert nobody["connection_security_policy"] == "none"
    cart, _ = _only(found, source_principal=WEB, response_code="200")
    assert cart["destination_service"] == "cart.shop.svc.cluster.local"
    assert cart["destination_service_name"] == "cart"
    assert cart["source_workload_namespace"] == "shop"
    assert _only(found, request_protocol="grpc")[0]["source_principal"] == BATCH
    assert _only(took, source_principal=BATCH, request_protocol="http")[1] == 3


async def test_connections_are_counted_by_who_called_what(tmp_path: Path) -> None:
    async with called(tmp_path) as (served, mesh):
        tunnel = mesh.tunnel("240.22.8.1:90", BATCH)
        async with through((served.place.gateway, 15008), tunnel) as (reader, writer, _):
            writer.write(b"hello\n")
            assert await asyncio.wait_for(reader.readuntil(b"\n"), SECONDS)
            opened = await metrics(tmp_path, "tcp_connections_opened_total", 1)
            assert _only(opened, source_principal=BATCH)[1] == 1
        reader, writer = await asyncio.open_connection(served.place.gateway, 15088)
        writer.write(proxy_header(("127.0.0.1", 1234), ("240.22.8.1", 90), WEB) + b"hello\n")
        with suppress(OSError):
            assert await asyncio.wait_for(reader.read(100), SECONDS) == b""
        writer.transport.abort()
        closed = await metrics(tmp_path, "tcp_connections_closed_total", 1)
        sent = await metrics(tmp_path, "tcp_received_bytes_total", 1)
    assert WEB not in {each["source_principal"] for each, _ in closed}
    labels, count = _only(closed, source_principal=BATCH)
    assert count == 1
    assert labels["destination_service"] == "api.partner.example"
    assert labels["request_protocol"] == "tcp"
    assert _only(sent, source_principal=BATCH)[1] == len(b"hello\n")


async def test_a_line_of_the_access_log_says_who_called_what(tmp_path: Path) -> None:
    async with called(tmp_path) as (served, mesh):
        log = mesh.log()
        assert answer(await served.to_vip("240.22.8.1", 80, as_=WEB)).status == 403
        found: list[str] = []
        async with asyncio.timeout(SECONDS):
            while not found:
                found = log.read()
                await asyncio.sleep(0.02)
    line = msgspec.json.decode(found[0])
    assert (line["peer_principal"], line["source_namespace"]) == (WEB, "shop")
    assert line["destination_service"] == "api.partner.example"
    assert line["destination_service_namespace"] == "shop"
    assert line["response_code"] == 403
    assert line["response_code_details"].startswith("rbac_access_denied_matched_policy")


async def test_a_query_by_istios_cluster_name_finds_ours(tmp_path: Path) -> None:
    async with called(tmp_path) as (served, _):
        for vip in ("240.22.8.1", "10.22.8.1"):
            assert answer(await served.to_vip(vip, 80)).status == 200
        told = await prometheus(tmp_path)

    for host in ("api.partner.example", "cart.shop.svc.cluster.local"):
        name = f"outbound|80||{host}"
        found = {
            line.partition("{")[0]: line.rpartition(" ")[2]
            for line in told
            if f'cluster_name="{name}"' in line and f'envoy_cluster_name="{name}"' in line
        }
        assert found["envoy_cluster_upstream_rq_total"] == "1"
        assert found["envoy_cluster_membership_healthy"] == "1"
        assert found["envoy_cluster_upstream_rq_xx"] == "1"
    assert [each for each in told if 'envoy_response_code_class="2"' in each]
    # No part of a host's or a cluster's name is left in a metric's.
    names = {line.partition("{")[0] for line in told if line.startswith("envoy_cluster_")}
    assert not [each for each in names if "example" in each or "local" in each or "xds" in each]
