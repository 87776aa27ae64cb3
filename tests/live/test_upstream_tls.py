"""TLS toward endpoints of entries and Services: whom Envoy trusts, and what it shows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import trustme

from live.serving import Place, answer, echoed, eventually, serving
from live.tls_echo import tls_echo
from live.worlds import config_map, edge, rule, secret
from serai.api.meta import Key
from serai.app.client.http import HttpAnswer
from serai.status.values import PolicyStatus

pytestmark = pytest.mark.live

HOST = "api.partner.example"
ENTRY = "{group: networking.istio.io, kind: ServiceEntry, name: partner}"


def world(
    place: Place, endpoint: str, *, sans: str = "", resolution: str = "STATIC", name: str = ""
) -> str:
    """A gateway that sends everything to port 80 of an entry, whose endpoint speaks TLS."""
    backend = "{group: networking.istio.io, kind: ServiceEntry, name: partner, port: 80}"
    partner = f"""
        ---
        apiVersion: networking.istio.io/v1
        kind: ServiceEntry
        metadata: {{name: partner, namespace: shop}}
        spec:
          hosts: [{name or HOST}]
          ports: [{{number: 80, name: http, protocol: HTTP, targetPort: 4443}}]
          resolution: {resolution}
          subjectAltNames: [{sans}]
          endpoints: [{{address: {endpoint}}}]
        """
    return edge(place, backend) + partner.lstrip()


def tls_policy(validation: str, target: str = ENTRY, name: str = "tls") -> str:
    return f"""
        apiVersion: gateway.networking.k8s.io/v1
        kind: BackendTLSPolicy
        metadata: {{name: {name}, namespace: shop}}
        spec: {{targetRefs: [{target}], validation: {validation}}}
        """


CA_REF = "caCertificateRefs: [{group: '', kind: ConfigMap, name: ca}]"


def tls_rule(tls: str) -> str:
    return rule(HOST, f"trafficPolicy: {{tls: {tls}}}", "tls")


def conditions(served: Any, name: str) -> dict[str, str]:
    status = served.instance.core.pipeline.statuses.row(Key("BackendTLSPolicy", "shop", name))
    assert isinstance(status, PolicyStatus)
    return {each.type: each.reason for each in status.ancestors[0].conditions}


async def test_a_policy_names_whom_to_trust_and_what_to_expect(tmp_path: Path) -> None:
    place, ca, others = Place(), trustme.CA(), trustme.CA()
    endpoint = place.address()
    leaf = ca.issue_cert(HOST, "other.example")
    files = {
        "world.yaml": world(place, endpoint),
        "ca.yaml": config_map(ca),
        "tls.yaml": tls_policy(f"{{{CA_REF}, hostname: {HOST}}}"),
    }
    async with tls_echo(endpoint, 4443, leaf), serving(tmp_path, files, [], place) as served:

        async def ask() -> Any:
            return await served.to(place.gateway, 8080, host="shop.example")

        assert echoed(await ask())["sni"] == HOST
        assert conditions(served, "tls") == {"Accepted": "Accepted", "ResolvedRefs": "ResolvedRefs"}

        served.write("tls.yaml", tls_policy(f"{{{CA_REF}, hostname: wrong.example}}"))
        await eventually(ask, lambda found: found.status == 503)

        sans = "subjectAltNames: [{type: Hostname, hostname: other.example}]"
        served.write("tls.yaml", tls_policy(f"{{{CA_REF}, hostname: wrong.example, {sans}}}"))
        found = await eventually(ask, lambda found: found.status == 200)
        assert echoed(found)["sni"] == "wrong.example"

        served.write("ca.yaml", config_map(others))
        await eventually(ask, lambda found: found.status == 503)
        served.write("ca.yaml", config_map(ca))
        await eventually(ask, lambda found: found.status == 200)


async def test_without_a_ca_nothing_is_sent_not_even_in_plain(tmp_path: Path) -> None:
    place, ca = Place(), trustme.CA()
    endpoint = place.address()
    files = {
        "world.yaml": world(place, endpoint),
        "tls.yaml": tls_policy(f"{{{CA_REF}, hostname: {HOST}}}"),
    }
    leaf = ca.issue_cert(HOST)
    async with tls_echo(endpoint, 4443, leaf) as names, serving(tmp_path, files, [], place) as on:

        async def ask() -> Any:
            return await on.to(place.gateway, 8080)

        assert answer(await ask()).status == 503
        expected = {"Accepted": "NoValidCACertificate", "ResolvedRefs": "InvalidCACertificateRef"}
        assert conditions(on, "tls") == expected
        assert names == []

        on.write("ca.yaml", config_map(ca))
        await eventually(ask, lambda found: found.status == 200)


async def test_a_rule_checks_the_names_that_the_entry_gives(tmp_path: Path) -> None:
    """Istio: ServiceEntry.subjectAltNames, where a DestinationRule has none of its own."""
    place, ca = Place(), trustme.CA()
    endpoint = place.address()
    files = {
        "world.yaml": world(place, endpoint, sans="spiffe://partner/api"),
        "ca.yaml": secret("partner-ca", ca, ca.issue_cert("unused")),
        "rule.yaml": tls_rule("{mode: SIMPLE, credentialName: partner-ca}"),
    }
    leaf = ca.issue_cert("some.other.name")
    async with tls_echo(endpoint, 4443, leaf), serving(tmp_path, files, [], place) as served:

        async def ask() -> Any:
            return await served.to(place.gateway, 8080)

        await eventually(ask, lambda found: found.status == 503)

        served.write("world.yaml", world(place, endpoint, sans="some.other.name"))
        found = await eventually(ask, lambda found: found.status == 200)
        assert echoed(found)["sni"] == HOST

        own = "{mode: SIMPLE, credentialName: partner-ca, subjectAltNames: [x.example]}"
        served.write("rule.yaml", tls_rule(own))
        await eventually(ask, lambda found: found.status == 503)


async def test_a_rule_shows_a_certificate_where_it_is_mutual(tmp_path: Path) -> None:
    place, ca = Place(), trustme.CA()
    endpoint = place.address()
    ours = ca.issue_cert("shop.example")
    files = {
        "world.yaml": world(place, endpoint),
        "secret.yaml": secret("ours", ca, ours),
        "rule.yaml": tls_rule("{mode: SIMPLE, credentialName: ours}"),
    }
    leaf = ca.issue_cert(HOST)
    async with tls_echo(endpoint, 4443, leaf, ca), serving(tmp_path, files, [], place) as served:

        async def ask() -> Any:
            return await served.to(place.gateway, 8080)

        await eventually(ask, lambda found: found.status == 503)

        served.write("rule.yaml", tls_rule("{mode: MUTUAL, credentialName: ours, sni: a.example}"))
        await eventually(ask, lambda found: found.status == 503)

        served.write("rule.yaml", tls_rule("{mode: MUTUAL, credentialName: ours}"))
        found = await eventually(ask, lambda found: found.status == 200)
        assert echoed(found) == {"sni": HOST, "host": "x", "client": "shop.example"}


async def test_a_gateway_shows_its_own_certificate(tmp_path: Path) -> None:
    """Gateway API: Gateway.spec.tls.backend.clientCertificateRef."""
    place, ca = Place(), trustme.CA()
    endpoint = place.address()
    plain = world(place, endpoint)
    shown = plain.replace(
        "gatewayClassName: serai",
        "gatewayClassName: serai\n          tls: {backend: {clientCertificateRef: {name: ours}}}",
    )
    files = {
        "world.yaml": plain,
        "ca.yaml": config_map(ca),
        "secret.yaml": secret("ours", ca, ca.issue_cert("edge.example")),
        "tls.yaml": tls_policy(f"{{{CA_REF}, hostname: {HOST}}}"),
    }
    leaf = ca.issue_cert(HOST)
    async with tls_echo(endpoint, 4443, leaf, ca), serving(tmp_path, files, [], place) as served:

        async def ask() -> Any:
            return await served.to(place.gateway, 8080)

        await eventually(ask, lambda found: found.status == 503)

        served.write("world.yaml", shown)
        found = await eventually(ask, lambda found: found.status == 200)
        assert echoed(found)["client"] == "edge.example"


async def test_names_that_are_looked_up_are_reached_by_tls_too(tmp_path: Path) -> None:
    """The pattern of an egress gateway: plain HTTP in, the vendor's HTTPS port out."""
    place, ca = Place(), trustme.CA()
    files = {
        "world.yaml": world(place, "localhost", resolution="DNS", name="api.vendor.example"),
        "ca.yaml": config_map(ca),
        "tls.yaml": tls_policy(
            f"{{{CA_REF}, hostname: api.vendor.example}}",
            "{group: networking.istio.io, kind: Hostname, name: api.vendor.example}",
        ),
    }
    leaf = ca.issue_cert("api.vendor.example")
    async with tls_echo("127.0.0.1", 4443, leaf), serving(tmp_path, files, [], place) as served:

        async def ask() -> Any:
            return await served.to(place.gateway, 8080)

        def good(found: HttpAnswer) -> bool:
            return found.status == 200

        assert echoed(await eventually(ask, good))["sni"] == "api.vendor.example"


def xbackend(tls: str) -> str:
    return f"""
        apiVersion: gateway.networking.x-k8s.io/v1alpha1
        kind: XBackend
        metadata: {{name: vendor, namespace: shop}}
        spec:
          type: ExternalHostname
          externalHostname: {{hostname: localhost}}
          port: {{port: 4443}}
          tls: {tls}
        """


async def test_an_xbackend_says_itself_how_tls_is_spoken(tmp_path: Path) -> None:
    place, ca = Place(), trustme.CA()
    ours = "clientCertificateRef: {name: ours}"
    trusting = f"validation: {{{CA_REF}, hostname: {HOST}}}"
    files = {
        "edge.yaml": edge(
            place, "{group: gateway.networking.x-k8s.io, kind: XBackend, name: vendor}"
        ),
        "ca.yaml": config_map(ca),
        "secret.yaml": secret("ours", ca, ca.issue_cert("edge.example")),
        "vendor.yaml": xbackend(f"{{mode: ServerOnly, {trusting}}}"),
    }
    leaf = ca.issue_cert(HOST)
    async with tls_echo("127.0.0.1", 4443, leaf, ca), serving(tmp_path, files, [], place) as served:

        async def ask() -> Any:
            return await served.to(place.gateway, 8080)

        # It asks for a certificate.
        await eventually(ask, lambda found: found.status == 503)

        served.write("vendor.yaml", xbackend(f"{{mode: ClientAndServer, {trusting}, {ours}}}"))
        found = await eventually(ask, lambda found: found.status == 200)
        assert echoed(found) == {"sni": HOST, "host": "x", "client": "edge.example"}

        other = trusting.replace(HOST, "other.example")
        served.write("vendor.yaml", xbackend(f"{{mode: ClientAndServer, {other}, {ours}}}"))
        await eventually(ask, lambda found: found.status == 503)
