"""What DestinationRules change at endpoints: by port and subset, by place, and by TLS."""

from __future__ import annotations

import contextlib
import datetime as dt
import ssl
from collections import Counter
from pathlib import Path

import pytest
import trustme
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from live.listeners import Held, held
from live.serving import Place, Served, answer, echoed, multiplexed, serving
from live.sick_server import sick
from live.tls_echo import echo_over
from live.upstreams import Upstream, upstream
from live.worlds import edge, entry, rule, shop
from serai.model.settings import Settings

pytestmark = pytest.mark.live

TWO_PORTS = """
        apiVersion: networking.istio.io/v1
        kind: ServiceEntry
        metadata: {{name: two, namespace: shop}}
        spec:
          hosts: [two.example]
          resolution: STATIC
          ports:
          - {{number: 80, name: one, protocol: HTTP, targetPort: 3000}}
          - {{number: 81, name: other, protocol: HTTP, targetPort: 3001}}
          - {{number: 82, name: third, protocol: HTTP, targetPort: 3002}}
          endpoints: [{{address: {address}, labels: {{version: v1}}}}]
        ---
        apiVersion: gateway.networking.k8s.io/v1
        kind: HTTPRoute
        metadata: {{name: parts, namespace: shop}}
        spec:
          parentRefs: [{{name: edge}}]
          rules:
          - {{matches: [{{path: {{value: /80}}}}], backendRefs: [{entry}, port: 80}}]}}
          - {{matches: [{{path: {{value: /81}}}}], backendRefs: [{entry}, port: 81}}]}}
          - {{matches: [{{path: {{value: /82}}}}], backendRefs: [{entry}, port: 82}}]}}
          - {{matches: [{{path: {{value: /v1/80}}}}], backendRefs: [{subset80}]}}
          - {{matches: [{{path: {{value: /v1/81}}}}], backendRefs: [{subset81}]}}
        """
PARTS = """
        apiVersion: networking.istio.io/v1
        kind: DestinationRule
        metadata: {name: two, namespace: shop}
        spec:
          host: two.example
          trafficPolicy:
            connectionPool: {http: {maxRequestsPerConnection: 1}}
            proxyProtocol: {version: V1}
            portLevelSettings:
            - port: {number: 81}
              connectionPool: {http: {maxRequestsPerConnection: 2}}
            - port: {number: 82}
              loadBalancer: {simple: RANDOM}
          subsets:
          - name: v1
            labels: {version: v1}
            trafficPolicy:
              loadBalancer: {simple: RANDOM}
              portLevelSettings:
              - port: {number: 81}
                connectionPool: {http: {maxRequestsPerConnection: 3}}
        """


def named(port: int) -> str:
    name = f"outbound_.{port}_.v1_.two.example"
    return f"{{group: networking.istio.io, kind: Hostname, name: {name}, port: {port}}}"


async def test_settings_of_a_port_stand_in_place_of_those_around(tmp_path: Path) -> None:
    """Istio: of loadBalancer, connectionPool, outlierDetection and tls also what they leave out."""
    place = Place()
    address = place.address()
    backend = "{group: networking.istio.io, kind: ServiceEntry, name: two"
    world = TWO_PORTS.format(address=address, entry=backend, subset80=named(80), subset81=named(81))
    files = {
        "edge.yaml": edge(place, f"{backend}, port: 80}}"),
        "world.yaml": world,
        "rule.yaml": PARTS,
    }
    async with contextlib.AsyncExitStack() as stack:
        ports = [await stack.enter_async_context(upstream(address, 3000 + n)) for n in range(3)]
        await stack.enter_async_context(serving(tmp_path, files, [], place))
        client = await stack.enter_async_context(held(place.gateway, 8080))
        found = {}
        for path, port in (("/80", 0), ("/81", 1), ("/82", 2), ("/v1/80", 0), ("/v1/81", 1)):
            found[path] = await shares(client, path, ports[port])
        begun = [each.links[0].heads[0].split(b" ")[0] for each in ports]
    assert found == {
        "/80": [1] * 6,
        "/81": [2] * 3,
        "/82": [6],
        "/v1/80": [1] * 6,  # of the rule's own, since the subset says nothing of it
        "/v1/81": [3] * 2,
    }
    # What only a whole policy can say stays.
    assert begun == [b"PROXY"] * 3


async def shares(client: Held, path: str, endpoint: Upstream) -> list[int]:
    """How six requests are shared among connections."""
    endpoint.links.clear()
    for _ in range(6):
        assert b"200 OK" in await client.ask(path)
    return endpoint.asked


PLACES = {"near": "eu/a/1", "far": "us/a/1", "farther": "ap/a/1"}
BY_PLACE = {
    "shared": "{enabled: false}",
    "spread": "{distribute: [{from: eu/*, to: {eu/*: 20, us/*: 80}}]}",
    "failover": "{failover: [{from: eu, to: us}]}",
    "labels": "{failoverPriority: [topology.kubernetes.io/region]}",
}


async def test_places_get_the_shares_that_a_rule_says(tmp_path: Path) -> None:
    place = Place()
    addresses = {place.address(): where for where in PLACES.values()}
    one, two, three = addresses
    text = shop(place, *(entry(name, *addresses, port=3000) for name in BY_PLACE))
    for address, where in addresses.items():
        text = text.replace(f"address: {address}", f"address: {address}, locality: {where}")
    ejects = "consecutive5xxErrors: 1, interval: 100ms, maxEjectionPercent: 100"
    files = {"shop.yaml": text}
    for name, each in BY_PLACE.items():
        spec = f"outlierDetection: {{{ejects}}}, loadBalancer: {{localityLbSetting: {each}}}"
        files[f"{name}.yaml"] = rule(f"{name}.example", f"trafficPolicy: {{{spec}}}", name)
    async with (
        sick(one, 3000, "near") as near,
        sick(two, 3000, "far"),
        sick(three, 3000, "farther"),
        serving(tmp_path, files, [], place, Settings(locality="eu/a/1")) as served,
    ):
        shared = {name: await answering(served, name) for name in BY_PLACE}
        assert set(shared["shared"]) == {"near", "far", "farther"}
        assert set(shared["spread"]) == {"near", "far"}
        assert shared["spread"]["far"] > 2 * shared["spread"]["near"]
        assert set(shared["failover"]) == set(shared["labels"]) == {"near"}

        near.status = 500
        for name in ("failover", "labels"):
            await answering(served, name, 8)
        assert set(await answering(served, "failover")) == {"far"}
        assert set(await answering(served, "labels")) == {"far", "farther"}


async def answering(served: Served, name: str, times: int = 60) -> Counter[str]:
    url = f"http://{served.place.gateway}:8080/{name}"
    async with multiplexed() as client:
        return Counter([(await client.get(url)).json()["pod"] for _ in range(times)])


async def test_how_tls_is_spoken_as_a_rule_says(tmp_path: Path) -> None:
    place, ca = Place(), trustme.CA()
    leaf, own = ca.issue_cert("partner.example"), ca.issue_cert("edge.example")
    at = {name: str(tmp_path / name) for name in ("ca.pem", "cert.pem", "key.pem", "none", "crl")}
    ca.cert_pem.write_to_path(at["ca.pem"])
    own.cert_chain_pems[0].write_to_path(at["cert.pem"])
    own.private_key_pem.write_to_path(at["key.pem"])
    trustme.Blob(revoking(ca)).write_to_path(at["none"])
    trustme.Blob(revoking(ca, leaf)).write_to_path(at["crl"])
    files_ = f"caCertificates: {at['ca.pem']}"
    pair = f"clientCertificate: {at['cert.pem']}, privateKey: {at['key.pem']}"
    named_ = "subjectAltNames: [partner.example]"
    asked = {
        "simple": (f"mode: SIMPLE, {files_}, {named_}", "", "simple.example"),
        "mutual": (f"mode: MUTUAL, {files_}, {pair}, {named_}", "edge.example", "mutual.example"),
        "sni": (f"mode: SIMPLE, {files_}, {named_}, sni: other.example", "", "other.example"),
        "names": (f"mode: SIMPLE, {files_}", None, ""),
        "skip": ("mode: SIMPLE, insecureSkipVerify: true", "", "skip.example"),
        "kept": (f"mode: SIMPLE, {files_}, {named_}, caCrl: {at['none']}", "", "kept.example"),
        "revoked": (f"mode: SIMPLE, {files_}, {named_}, caCrl: {at['crl']}", None, ""),
        "system": (f"mode: SIMPLE, {named_}", "", "system.example"),
        "disabled": ("mode: DISABLE", None, ""),
    }
    endpoint = place.address()
    files = {"shop.yaml": shop(place, *(entry(name, endpoint, port=3000) for name in asked))}
    for name, (tls, _, _) in asked.items():
        files[f"{name}.yaml"] = rule(f"{name}.example", f"trafficPolicy: {{tls: {{{tls}}}}}", name)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.verify_mode = ssl.CERT_OPTIONAL
    leaf.configure_cert(context)
    ca.configure_trust(context)
    async with (
        echo_over(context, endpoint, 3000),
        serving(tmp_path, files, [], place, Settings(system_certificates=at["ca.pem"])) as served,
    ):
        for name, (_, client, sni) in asked.items():
            found = answer(await served.to(place.gateway, 8080, f"/{name}"))
            if client is None:
                assert found.status in {502, 503}, name
            else:
                told = echoed(found)
                assert (told["client"], told["sni"]) == (client, sni), name


def revoking(ca: trustme.CA, *leaves: trustme.LeafCert) -> bytes:
    """A list of certificates that a CA takes back, in PEM."""
    key = serialization.load_pem_private_key(ca.private_key_pem.bytes(), None)
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    now = dt.datetime.now(dt.UTC)
    listed = (
        x509.CertificateRevocationListBuilder()
        .issuer_name(x509.load_pem_x509_certificate(ca.cert_pem.bytes()).subject)
        .last_update(now - dt.timedelta(hours=1))
        .next_update(now + dt.timedelta(hours=1))
    )
    for each in leaves:
        serial = x509.load_pem_x509_certificate(each.cert_chain_pems[0].bytes()).serial_number
        gone = x509.RevokedCertificateBuilder().serial_number(serial)
        listed = listed.add_revoked_certificate(
            gone.revocation_date(now - dt.timedelta(hours=1)).build()
        )
    return listed.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)
