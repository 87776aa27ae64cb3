"""TLS at gateways: which certificate, which routes, and what changes disturb."""

from __future__ import annotations

import asyncio
import datetime as dt
import ssl
import textwrap
from pathlib import Path

import pytest
import trustme
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric import rsa as rsa_key

from live.https import PORT, REFUSED, gateway, https, route, secret
from live.serving import Place, Served, serving, workload
from live.tls_client import TlsAnswer, connection, fetch, trusting
from serai.api.meta import Key
from serai.status.values import GatewayStatus

pytestmark = pytest.mark.live

GATEWAY = Key("Gateway", "shop", "edge")


def names(answer: TlsAnswer) -> list[str]:
    found = x509.load_der_x509_certificate(answer.certificate).extensions
    return list(
        found.get_extension_for_class(x509.SubjectAlternativeName).value.get_values_for_type(
            x509.DNSName
        )
    )


def conditions(served: Served, listener: str) -> dict[str, tuple[str, str]]:
    status = served.instance.core.pipeline.statuses.row(GATEWAY)
    assert isinstance(status, GatewayStatus)
    found = next(each for each in status.listeners if each.name == listener)
    return {each.type: (each.status, each.reason) for each in found.conditions}


async def test_the_most_specific_host_decides_on_certificate_and_routes(tmp_path: Path) -> None:
    ca, place = trustme.CA(), Place()
    a, b, c = (place.address() for _ in range(3))
    exact, wild, other = (
        ca.issue_cert(name) for name in ("a.shop.example", "*.shop.example", "any.example")
    )
    listeners = (
        https("exact", "a.shop.example", "exact")
        + https("wild", "*.shop.example", "wild")
        + https("rest", "", "other")
    )
    files = {
        "gateway.yaml": gateway(place, listeners),
        "exact.yaml": secret("exact", exact),
        "wild.yaml": secret("wild", wild),
        "other.yaml": secret("other", other),
        "a.yaml": route("a", "exact", a),
        "b.yaml": route("b", "wild", b),
        "c.yaml": route("c", "rest", c),
    }
    echoes = [workload(at, 3000, name) for at, name in ((a, "a"), (b, "b"), (c, "c"))]
    context = trusting(ca)
    async with serving(tmp_path, files, echoes, place):

        async def ask(sni: str, host: str = "") -> TlsAnswer:
            return await fetch(place.gateway, PORT, context, sni=sni, host=host)

        first = await ask("a.shop.example")
        assert (first.status, names(first)) == (200, ["a.shop.example"])
        assert b'"pod": "a"' in first.body
        deep = await ask("x.b.shop.example")
        assert names(deep) == ["*.shop.example"] and b'"pod": "b"' in deep.body
        rest = await ask("elsewhere.example")
        assert names(rest) == ["any.example"] and b'"pod": "c"' in rest.body

        assert (await ask("a.shop.example", "b.shop.example")).status == 421
        assert (await ask("b.shop.example", "a.shop.example")).status == 421
        assert (await ask("a.shop.example", "elsewhere.example")).status == 421
        assert (await ask("elsewhere.example", "a.shop.example")).status == 421
        assert (await ask("elsewhere.example", "another.example")).status == 200


async def test_a_connection_is_misdirected_only_for_hosts_of_other_listeners(
    tmp_path: Path,
) -> None:
    ca, place = trustme.CA(), Place()
    files = {
        "gateway.yaml": gateway(
            place, https("one", "one.example", "both") + https("two", "two.example", "both")
        ),
        "both.yaml": secret("both", ca.issue_cert("one.example", "two.example")),
    }
    async with serving(tmp_path, files, (), place):
        context = trusting(ca)

        async def ask(host: str) -> int:
            found = await fetch(place.gateway, PORT, context, sni="one.example", host=host)
            return found.status

        assert [await ask(f"{each}.example") for each in ("one", "two", "three")] == [404, 421, 404]
        with pytest.raises(OSError, match=REFUSED):
            await fetch(place.gateway, PORT, context, sni="three.example")


async def test_a_certificate_is_replaced_without_a_dropped_connection(tmp_path: Path) -> None:
    ca, place = trustme.CA(), Place()
    at = place.address()
    files = {
        "gateway.yaml": gateway(place, https("only", "a.example", "cert")),
        "cert.yaml": secret("cert", ca.issue_cert("a.example")),
        "a.yaml": route("a", "only", at),
    }
    context = trusting(ca)
    async with serving(tmp_path, files, [workload(at, 3000, "a")], place) as served:
        kept = await connection(place.gateway, PORT, context, "a.example")
        assert (await kept.get("a.example")).status == 200
        asked, failed = 0, []
        replaced = asyncio.Event()

        async def load() -> None:
            nonlocal asked
            while not replaced.is_set():
                asked += 1
                found = await fetch(place.gateway, PORT, context, sni="a.example")
                if found.status != 200:
                    failed.append(found)

        running = [asyncio.create_task(load()) for _ in range(4)]
        served.write("cert.yaml", secret("cert", ca.issue_cert("a.example", "new.example")))
        async with asyncio.timeout(10):
            while True:
                found = await fetch(place.gateway, PORT, context, sni="a.example")
                if "new.example" in names(found):
                    break
        replaced.set()
        await asyncio.gather(*running)
        assert asked and not failed
        assert (await kept.get("a.example")).status == 200
        kept.close()


async def test_listeners_that_come_and_go_leave_other_connections_alone(tmp_path: Path) -> None:
    ca, place = trustme.CA(), Place()
    at = place.address()
    one = https("one", "a.example", "cert")
    files = {
        "gateway.yaml": gateway(place, one),
        "cert.yaml": secret("cert", ca.issue_cert("a.example", "b.example")),
        "a.yaml": route("a", "one", at),
    }
    context = trusting(ca)
    async with serving(tmp_path, files, [workload(at, 3000, "a")], place) as served:
        kept = await connection(place.gateway, PORT, context, "a.example")
        assert (await kept.get("a.example")).status == 200
        served.write("gateway.yaml", gateway(place, one + https("two", "b.example", "cert")))
        await _until(place, context, "b.example", 404)
        assert (await kept.get("a.example")).status == 200
        assert (await kept.get("b.example")).status == 421
        served.write("gateway.yaml", gateway(place, one))
        await asyncio.sleep(1)
        assert (await kept.get("a.example")).status == 200
        kept.close()


async def _until(place: Place, context: ssl.SSLContext, sni: str, status: int) -> None:
    async with asyncio.timeout(10):
        while True:
            try:
                found = await fetch(place.gateway, PORT, context, sni=sni)
            except OSError:
                found = None
            if found is not None and found.status == status:
                return
            await asyncio.sleep(0.02)


async def test_a_bad_certificate_harms_nobody_else(tmp_path: Path) -> None:
    ca, place = trustme.CA(), Place()
    at = place.address()
    good, other = ca.issue_cert("good.example"), ca.issue_cert("bad.example")
    listeners = (
        https("good", "good.example", "good")
        + https("mixed", "bad.example", "mixed")
        + https("gone", "gone.example", "nowhere")
    )
    files = {
        "gateway.yaml": gateway(place, listeners),
        "good.yaml": secret("good", good),
        "mixed.yaml": secret("mixed", other, key=good),
        "a.yaml": route("a", "good", at),
    }
    context = trusting(ca)
    async with serving(tmp_path, files, [workload(at, 3000, "a")], place) as served:
        assert (await fetch(place.gateway, PORT, context, sni="good.example")).status == 200
        with pytest.raises(OSError, match=REFUSED):
            await fetch(place.gateway, PORT, context, sni="bad.example")
        assert conditions(served, "good")["Programmed"] == ("True", "Programmed")
        for listener in ("mixed", "gone"):
            found = conditions(served, listener)
            assert found["ResolvedRefs"] == ("False", "InvalidCertificateRef")
            assert found["Programmed"] == ("False", "Invalid")
            assert found["Accepted"] == ("True", "Accepted")
        served.write("mixed.yaml", secret("mixed", other))
        await _until(place, context, "bad.example", 404)


async def test_an_expired_certificate_is_told_and_shown(tmp_path: Path) -> None:
    ca, place = trustme.CA(), Place()
    at = place.address()
    now = dt.datetime.now(dt.UTC)
    begun, over = now - dt.timedelta(days=2), now - dt.timedelta(days=1)
    late = ca.issue_cert("late.example", not_before=begun, not_after=over)
    files = {
        "gateway.yaml": gateway(place, https("late", "late.example", "late")),
        "late.yaml": secret("late", late),
        "a.yaml": route("a", "late", at),
    }
    async with serving(tmp_path, files, [workload(at, 3000, "a")], place) as served:
        careless = trusting(ca)
        careless.check_hostname, careless.verify_mode = False, ssl.CERT_NONE
        assert (await fetch(place.gateway, PORT, careless, sni="late.example")).status == 200
        with pytest.raises(ssl.SSLCertVerificationError, match="expired"):
            await fetch(place.gateway, PORT, trusting(ca), sni="late.example")
        assert conditions(served, "late")["ResolvedRefs"] == ("False", "InvalidCertificateRef")
        assert conditions(served, "late")["Programmed"] == ("True", "Programmed")
        served.write("late.yaml", secret("late", ca.issue_cert("late.example")))
        await _until(place, trusting(ca), "late.example", 200)
        assert conditions(served, "late")["ResolvedRefs"] == ("True", "ResolvedRefs")


async def test_a_listener_shows_each_client_a_certificate_that_it_takes(tmp_path: Path) -> None:
    ca, place = trustme.CA(), Place()
    at = place.address()
    rsa = ca.issue_cert("a.example", key_type=trustme.KeyType.RSA)
    files = {
        "gateway.yaml": gateway(place, https("both", "a.example", "rsa", "ecdsa")),
        "rsa.yaml": secret("rsa", rsa),
        "ecdsa.yaml": secret("ecdsa", ca.issue_cert("a.example")),
        "a.yaml": route("a", "both", at),
    }
    async with serving(tmp_path, files, [workload(at, 3000, "a")], place):
        kinds = (("RSA", rsa_key.RSAPublicKey), ("ECDSA", ec.EllipticCurvePublicKey))
        for algorithm, kind in kinds:
            context = trusting(ca)
            context.maximum_version = ssl.TLSVersion.TLSv1_2
            context.set_ciphers(f"ECDHE-{algorithm}-AES128-GCM-SHA256")
            found = await fetch(place.gateway, PORT, context, sni="a.example")
            assert found.status == 200
            shown = x509.load_der_x509_certificate(found.certificate).public_key()
            assert isinstance(shown, kind)


VALIDATION = """
tls:
  frontend:
    default:
      validation:
        mode: {mode}
        caCertificateRefs: [{{group: "", kind: ConfigMap, name: clients}}]
"""


@pytest.mark.parametrize("mode", ["AllowValidOnly", "AllowInsecureFallback"])
async def test_clients_are_checked_as_the_gateway_says(tmp_path: Path, mode: str) -> None:
    ca, clients, strangers, place = trustme.CA(), trustme.CA(), trustme.CA(), Place()
    at = place.address()
    authority = textwrap.indent(clients.cert_pem.bytes().decode(), "    ")
    files = {
        "gateway.yaml": gateway(
            place, https("only", "a.example", "cert"), VALIDATION.format(mode=mode)
        ),
        "cert.yaml": secret("cert", ca.issue_cert("a.example")),
        "ca.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: clients, namespace: shop}\n"
        f"data:\n  ca.crt: |\n{authority}",
        "a.yaml": route("a", "only", at),
    }
    async with serving(tmp_path, files, [workload(at, 3000, "a")], place):

        async def ask(certificate: trustme.LeafCert | None) -> int:
            context = trusting(ca, certificate)
            return (await fetch(place.gateway, PORT, context, sni="a.example")).status

        assert await ask(clients.issue_cert("client.example")) == 200
        for certificate in (None, strangers.issue_cert("client.example")):
            if mode == "AllowInsecureFallback":
                assert await ask(certificate) == 200
            else:
                with pytest.raises(OSError, match=REFUSED):
                    await ask(certificate)
