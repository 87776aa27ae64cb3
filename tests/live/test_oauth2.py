"""Callers that log in at a provider, from the first request to the last."""

from __future__ import annotations

import contextlib
import json
import ssl
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
import trustme

from live.extensions import VIP, ask, called, policy
from live.issuer import Issuer, issuer
from live.mesh import entry, mesh
from live.provider import Browser, Provider, providing, publishing
from live.serving import Place, Served, answer, echoed, eventually, serving, workload
from serai.app.client.http import HttpAnswer
from serai.model.settings import Settings

pytestmark = pytest.mark.live

LOG_IN = "https://login.example/authorize"


def extension(more: str = "") -> str:
    return f"""
        apiVersion: gateway.kgateway.dev/v1alpha1
        kind: GatewayExtension
        metadata: {{name: login, namespace: shop}}
        spec:
          oauth2:
            backendRef: {{group: networking.istio.io, kind: ServiceEntry, name: login, port: 80}}
            authorizationEndpoint: {LOG_IN}
            tokenEndpoint: https://login.example/token
            credentials: {{clientID: shop, clientSecretRef: {{name: login}}}}
            scopes: [openid, email]
            {more}
        """


def secret(text: str) -> str:
    return f"""
        apiVersion: v1
        kind: Secret
        metadata: {{name: login, namespace: shop}}
        stringData: {{client-secret: {text}}}
        """


def world(place: Place, backend: str, login: str, more: str = "") -> dict[str, str]:
    return {
        "mesh.yaml": mesh(place),
        "pay.yaml": entry("pay", VIP, backend),
        "login.yaml": called("login", login, 3004, "HTTP"),
        "secret.yaml": secret("hush"),
        "extension.yaml": extension(more),
        "policy.yaml": policy("oauth2: {extensionRef: {name: login}}"),
    }


def browser(served: Served) -> Browser:
    async def asked(path: str, headers: dict[str, str]) -> HttpAnswer:
        return await ask(served, path, b"", **headers)

    return Browser(asked)


def where(found: HttpAnswer) -> str:
    assert found.status == 302, found
    return dict(found.headers)["location"]


async def has_secret(served: Served) -> None:
    """Waits until Envoy was told the client's secret; before, it lets nobody in, by a 503."""
    await eventually(lambda: ask(served), lambda found: found.status != 503)


async def log_in(who: Browser, provider: Provider, path: str = "/") -> HttpAnswer:
    """From a first request to the answer that the provider sends the browser back for."""
    back = urlsplit(provider.authorize(where(await who.get(path))))
    return await who.get(f"{back.path}?{back.query}")


async def test_a_caller_logs_in_is_let_in_and_logs_out(tmp_path: Path) -> None:
    place = Place()
    backend, login = place.address(), place.address()
    provider = Provider("shop", "hush")
    files = world(place, backend, login, "forwardAccessToken: true")
    async with (
        providing(provider, login, 3004),
        serving(tmp_path, files, [workload(backend, 3000, "pay")], place) as served,
    ):
        await has_secret(served)
        alice = browser(served)
        sent = where(await alice.get("/a?b=c"))
        assert sent.startswith(LOG_IN)
        assert parse_qs(urlsplit(sent).query)["scope"] == ["openid email"]

        returned = await log_in(alice, provider, "/a?b=c")
        assert urlsplit(where(returned)).path == "/a"
        assert provider.granted == ["authorization_code"]
        assert alice.flags["OauthHMAC"].endswith("secure;HttpOnly")
        told = echoed(await alice.get("/a?b=c"))
        assert told["headers"]["Authorization"] == ["Bearer access-1"]

        # A changed cookie, and none at all; what refreshes tokens would let its bearer in again.
        mallory = browser(served)
        mallory.cookies = {**alice.cookies, "OauthHMAC": "AAAA", "RefreshToken": "AAAA"}
        assert where(await mallory.get("/")).startswith(LOG_IN)
        mallory.cookies = {}
        assert where(await mallory.get("/")).startswith(LOG_IN)

        await alice.get("/logout")
        assert where(await alice.get("/")).startswith(LOG_IN)


async def test_the_token_of_who_logged_in_is_verified_beside_it(tmp_path: Path) -> None:
    place = Place()
    backend, login = place.address(), place.address()
    provider = Provider("shop", "hush")
    staff = Issuer("https://login.example", login, 3005)
    provider.access = lambda _: staff.token(sub="alice")
    verified = f"""
        apiVersion: gateway.kgateway.dev/v1alpha1
        kind: GatewayExtension
        metadata: {{name: tokens, namespace: shop}}
        spec:
          jwt:
            providers:
            - name: login
              issuer: https://login.example
              claimsToHeaders: [{{name: sub, header: x-user}}]
              jwks: {{local: {{inline: '{staff.key_set}'}}}}
        """
    verify = "jwtAuth: {extensionRef: {name: tokens}}"
    both = f"oauth2: {{extensionRef: {{name: login}}}}\n          {verify}"
    files = world(place, backend, login, "forwardAccessToken: true")
    files |= {"tokens.yaml": verified, "policy.yaml": policy(both)}
    async with (
        providing(provider, login, 3004),
        serving(tmp_path, files, [workload(backend, 3000, "pay")], place) as served,
    ):
        await has_secret(served)
        alice = browser(served)
        await log_in(alice, provider)
        found = await eventually(lambda: alice.get("/"), lambda found: found.status == 200)
        assert echoed(found)["headers"]["X-User"] == ["alice"]

        provider.access = lambda _: Issuer("https://login.example", login, 3006).token(sub="alice")
        mallory = browser(served)
        await log_in(mallory, provider)
        assert answer(await mallory.get("/")).status == 401


VERIFIED = """jwt:
              jwksURI: https://login.example/keys
              jwksBackendRef: {group: networking.istio.io, kind: ServiceEntry, name: keys, port: 80}
              accessToken: {audiences: [shop], claimsToHeaders: [{name: sub, header: x-user}]}
              idToken: {audiences: [shop], claimsToHeaders: [{name: email, header: x-mail}]}"""


@pytest.fixture
def ca(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> trustme.CA:
    """Whom Serai trusts."""
    found = trustme.CA()
    found.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
    return found


@contextlib.asynccontextmanager
async def staff_at(address: str, ca: trustme.CA) -> AsyncIterator[Issuer]:
    """The provider's keys, published over TLS."""
    async with issuer("https://login.example", address, 3005, up=False) as staff:
        staff.tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        ca.issue_cert("login.example").configure_cert(staff.tls)
        await staff.open()
        yield staff


def keys_at(address: str) -> dict[str, str]:
    return {"keys.yaml": called("keys", address, 3005, "HTTP")}


async def test_tokens_that_a_log_in_got_are_verified_and_tell_who_it_was(
    tmp_path: Path, ca: trustme.CA
) -> None:
    place = Place()
    backend, login, keys = place.address(), place.address(), place.address()
    provider = Provider("shop", "hush")
    files = world(place, backend, login, VERIFIED) | keys_at(keys)
    settings = Settings(jwks_refresh_seconds=0.2)
    async with (
        staff_at(keys, ca) as staff,
        providing(provider, login, 3004),
        serving(tmp_path, files, [workload(backend, 3000, "pay")], place, settings) as served,
    ):

        def grant(access: str = "shop", identity: str | None = "shop") -> None:
            mail = "alice@shop.example"
            provider.access = lambda _: staff.token(sub="alice", aud=access)
            given = identity and staff.token(aud=identity, email=mail)
            provider.identity = (lambda _: given) if given else None

        async def comes() -> HttpAnswer:
            alice = browser(served)
            await log_in(alice, provider)
            return await alice.get("/", x_user="mallory", x_mail="mallory")

        grant()
        await has_secret(served)
        found = await eventually(comes, lambda found: found.status == 200)
        told = echoed(found)["headers"]
        assert (told["X-User"], told["X-Mail"]) == (["alice"], ["alice@shop.example"])
        assert "Authorization" not in told

        for wrong in (("other", "shop"), ("shop", "other")):
            grant(*wrong)
            assert (await comes()).status == 403, wrong
        grant("shop", None)
        assert (await comes()).status == 401
        provider.access = "access-{}".format  # no JWT at all
        assert (await comes()).status == 401

        staff.rotate()
        grant()
        await eventually(comes, lambda found: found.status == 200)
        await staff.close()  # what it told stays
        assert (await comes()).status == 200
        staff.rotate()
        grant()
        assert (await comes()).status == 401
        await staff.open()
        await eventually(comes, lambda found: found.status == 200)


async def test_routes_are_chosen_by_what_the_tokens_of_a_log_in_claim(
    tmp_path: Path, ca: trustme.CA
) -> None:
    place = Place()
    backend, login, keys = place.address(), place.address(), place.address()
    provider = Provider("shop", "hush")
    routes = """
        apiVersion: gateway.networking.k8s.io/v1
        kind: HTTPRoute
        metadata: {name: pay, namespace: shop}
        spec:
          parentRefs: [{group: networking.istio.io, kind: ServiceEntry, name: pay}]
          rules:
          - matches: [{headers: [{name: x-mail, value: alice@shop.example}]}]
            filters:
            - type: RequestHeaderModifier
              requestHeaderModifier: {set: [{name: x-route, value: of-alice}]}
            backendRefs: [{group: networking.istio.io, kind: ServiceEntry, name: pay, port: 8000}]
          - backendRefs: [{group: networking.istio.io, kind: ServiceEntry, name: pay, port: 8000}]
        """
    files = world(place, backend, login, VERIFIED) | keys_at(keys)
    files["routes.yaml"] = routes
    async with (
        staff_at(keys, ca) as staff,
        providing(provider, login, 3004),
        serving(tmp_path, files, [workload(backend, 3000, "pay")], place) as served,
    ):
        mail = "alice@shop.example"
        provider.access = lambda _: staff.token(sub="alice", aud="shop")
        provider.identity = lambda _: staff.token(aud="shop", email=mail)
        await has_secret(served)

        async def comes(who: Browser) -> dict[str, list[str]]:
            await log_in(who, provider)
            found = await eventually(
                lambda: who.get("/", x_mail=mail), lambda found: found.status == 200
            )
            told: dict[str, list[str]] = echoed(found)["headers"]
            return told

        assert (await comes(browser(served)))["X-Route"] == ["of-alice"]
        provider.identity = lambda _: staff.token(aud="shop", email="mallory@shop.example")
        assert "X-Route" not in await comes(browser(served))


async def test_a_token_that_ran_out_is_refreshed(tmp_path: Path) -> None:
    place = Place()
    backend, login = place.address(), place.address()
    provider = Provider("shop", "hush")
    provider.lifetime_seconds = 1
    files = world(place, backend, login, "forwardAccessToken: true")
    async with (
        providing(provider, login, 3004),
        serving(tmp_path, files, [workload(backend, 3000, "pay")], place) as served,
    ):
        await has_secret(served)
        alice = browser(served)
        await log_in(alice, provider)
        await eventually(lambda: alice.get("/"), lambda _: provider.granted[-1] == "refresh_token")
        assert (await alice.get("/")).status == 200


async def test_the_secret_is_changed_live_and_what_cannot_be_done_lets_nobody_in(
    tmp_path: Path,
) -> None:
    place = Place()
    backend, login = place.address(), place.address()
    provider = Provider("shop", "another")
    deny = "denyRedirect: {headers: [{name: x-requested-with, value: XMLHttpRequest}]}"
    names = "cookies: {sameSite: Lax, names: {accessToken: Shop}}"
    files = world(place, backend, login, f"{deny}\n            {names}")
    async with (
        providing(provider, login, 3004),
        serving(tmp_path, files, [workload(backend, 3000, "pay")], place) as served,
    ):
        await has_secret(served)
        assert (await log_in(browser(served), provider)).status == 401
        script = await ask(served, x_requested_with="XMLHttpRequest")
        assert script.status == 401

        served.write("secret.yaml", secret("another"))
        await eventually(
            lambda: log_in(browser(served), provider), lambda found: found.status == 302
        )
        alice = browser(served)
        await log_in(alice, provider)
        assert "Shop" in alice.cookies and "SameSite=Lax" in alice.flags["Shop"]
        assert "Authorization" not in echoed(await alice.get("/"))["headers"]

        served.write("extension.yaml", extension("jwt: {accessToken: {}}"))  # signed by whom?
        await eventually(lambda: ask(served), lambda found: found.status == 500)
        served.write("extension.yaml", extension())
        await eventually(lambda: ask(served), lambda found: found.status == 302)
        (served.folder / "secret.yaml").unlink()
        await eventually(lambda: ask(served), lambda found: found.status == 500)


async def test_an_issuer_is_asked_for_its_endpoints(tmp_path: Path, ca: trustme.CA) -> None:
    place = Place()
    backend, login = place.address(), place.address()
    provider = Provider("shop", "hush")
    listed: dict[str, str] = {}

    def document(uri: str) -> bytes:
        return json.dumps({"issuer": uri, **listed}).encode() if listed else b""

    async with (
        providing(provider, login, 3004),
        publishing(document, ca.issue_cert("localhost")) as uri,
    ):
        files = world(place, backend, login)
        asked = extension(f"issuerURI: {uri}").replace("authorizationEndpoint", "#")
        files["extension.yaml"] = asked.replace("tokenEndpoint", "#")
        async with serving(tmp_path, files, [workload(backend, 3000, "pay")], place) as served:
            assert (await ask(served)).status == 500

            listed["authorization_endpoint"] = LOG_IN
            listed["token_endpoint"] = "https://login.example/token"
            listed["end_session_endpoint"] = "https://login.example/end"
            await eventually(lambda: ask(served), lambda found: found.status == 302)
            alice = browser(served)
            await log_in(alice, provider)
            assert (await alice.get("/")).status == 200
            assert where(await alice.get("/logout")).startswith("https://login.example/end")


async def test_an_issuer_tells_its_keys_and_the_id_token_must_be_its_own(
    tmp_path: Path, ca: trustme.CA
) -> None:
    place = Place()
    backend, login, keys = place.address(), place.address(), place.address()
    provider = Provider("shop", "hush")
    told = {"jwks_uri": "https://login.example/keys"}
    told["authorization_endpoint"] = LOG_IN
    told["token_endpoint"] = "https://login.example/token"

    def document(uri: str) -> bytes:
        return json.dumps({"issuer": uri, **told}).encode()

    async with (
        staff_at(keys, ca) as staff,
        providing(provider, login, 3004),
        publishing(document, ca.issue_cert("localhost")) as uri,
    ):
        verified = VERIFIED.replace("jwksURI: https://login.example/keys", f"# {uri}")
        files = world(place, backend, login, f"issuerURI: {uri}\n            {verified}")
        files |= keys_at(keys)
        async with serving(tmp_path, files, [workload(backend, 3000, "pay")], place) as served:

            async def comes(issuer: str) -> HttpAnswer:
                provider.access = lambda _: staff.token(aud="shop")  # whoever made it
                provider.identity = lambda _: staff.token(aud="shop", iss=issuer)
                alice = browser(served)
                await log_in(alice, provider)
                return await alice.get("/")

            await eventually(lambda: ask(served), lambda found: found.status == 302)
            await eventually(lambda: comes(uri), lambda found: found.status == 200)
            assert (await comes("https://login.example")).status == 401
