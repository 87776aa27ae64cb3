"""What is asked for key sets, and what is not done for it."""

from __future__ import annotations

import json
import ssl
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
import trustme

from live.issuer import Issuer, answered, issuer
from live.serving import Place
from serai.ir.cluster import Endpoint
from serai.ir.tls import Material, SubjectName, UpstreamTls
from serai.model.settings import Settings
from serai.policies.tokens.requirement import KeySource
from serai.sources.key_set_request import MOST_BYTES, Unfetched, fetched_text, is_permitted
from serai.translate.tokens import Fetch

HERE = Settings()
PORT = 9481
CA = trustme.CA()


@pytest_asyncio.fixture
async def staff() -> AsyncIterator[Issuer]:
    async with issuer("http://staff.example", Place().address(), PORT) as found:
        yield found


def of(staff: Issuer, path: str = "/keys", **more: object) -> Fetch:
    url = f"http://{staff.address}:{PORT}{path}"
    return Fetch(KeySource(url, timeout_seconds=2.0, **more))  # type: ignore[arg-type]


async def test_keys_are_asked_for_by_name(staff: Issuer) -> None:
    assert json.loads(await fetched_text(of(staff), HERE)) == json.loads(staff.key_set)
    source = KeySource("http://staff.example:81/x", cluster="c")
    fetch = Fetch(source, (Endpoint(staff.address, PORT),))
    assert json.loads(await fetched_text(fetch, HERE)) == json.loads(staff.key_set)
    with pytest.raises(Unfetched, match=r"staff\.example has no endpoints"):
        await fetched_text(Fetch(source), HERE)


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (answered("", "302 Found", "location: http://127.0.0.1:9/"), "answered 302"),
        (answered("secret words", "500 Oops"), "answered 500$"),
        (answered("x" * (MOST_BYTES + 1)), "more than"),
        (b"nonsense\r\n\r\n", "cannot be asked: RemoteProtocolError$"),
    ],
)
async def test_odd_answers_are_told_without_what_they_say(
    staff: Issuer, answer: bytes, why: str
) -> None:
    staff.answers["/keys"] = answer
    with pytest.raises(Unfetched, match=why):
        await fetched_text(of(staff), HERE)
    assert staff.asked.total() == 1


async def test_discovery_goes_where_it_says_and_never_down_to_plain_text(staff: Issuer) -> None:
    staff.jwks_uri = f"http://{staff.address}:{PORT}/elsewhere"
    text = await fetched_text(of(staff, "/", discovered=True), HERE)
    assert json.loads(text) == json.loads(staff.key_set)
    assert staff.asked == {"/.well-known/openid-configuration": 1, "/elsewhere": 1}
    staff.jwks_uri = "http://169.254.169.254/latest"
    with pytest.raises(Unfetched, match="not asked for keys"):
        await fetched_text(of(staff, "", discovered=True), HERE)


async def test_nobody_waits_for_a_slow_issuer(staff: Issuer) -> None:
    staff.answers["/keys"] = b"HTTP/1.1 200 OK\r\ncontent-length: 99\r\n\r\n"
    fetch = Fetch(KeySource(f"http://{staff.address}:{PORT}/keys", timeout_seconds=0.2))
    with pytest.raises(Unfetched, match=r"no answer within 0\.2 s|cannot be asked"):
        await fetched_text(fetch, HERE)


async def test_certificates_are_always_verified(staff: Issuer) -> None:
    await staff.close()
    staff.tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    CA.issue_cert("staff.example").configure_cert(staff.tls)
    await staff.open()
    source = KeySource("https://staff.example/keys", cluster="c")
    endpoint = (Endpoint(staff.address, PORT),)
    with pytest.raises(Unfetched, match="cannot be asked"):
        await fetched_text(Fetch(source, endpoint), HERE)
    trust = Material(CA.cert_pem.bytes().decode())
    good = UpstreamTls("staff.example", trust, (SubjectName("staff.example"),))
    text = await fetched_text(Fetch(source, endpoint, (good,)), HERE)
    assert json.loads(text) == json.loads(staff.key_set)
    other = UpstreamTls("other.example", trust, (SubjectName("other.example"),))
    with pytest.raises(Unfetched, match="cannot be asked"):
        await fetched_text(Fetch(source, endpoint, (other,)), HERE)
    nobody = UpstreamTls("staff.example")
    with pytest.raises(Unfetched, match="cannot be asked"):
        await fetched_text(Fetch(source, endpoint, (nobody,)), HERE)


@pytest.mark.parametrize(
    "address",
    [
        "169.254.169.254",
        "0.0.0.0",
        "224.0.0.1",
        "255.255.255.255",
        "fe80::1",
        "::",
        "::ffff:169.254.169.254",
        "2002:a9fe:a9fe::1",
        "no address",
    ],
)
def test_some_addresses_are_never_asked(address: str) -> None:
    assert not is_permitted(address, 80, HERE)
    assert not is_permitted(address, 80, Settings(standalone=False))


def test_loopback_is_asked_only_where_it_is_the_users_own() -> None:
    assert is_permitted("127.0.0.9", 80, HERE)
    assert not is_permitted("127.0.0.9", 80, Settings(standalone=False))
    assert not is_permitted("127.0.0.1", 9095, Settings(own_ports=(9095,)))
    assert not is_permitted("::1", 80, Settings(standalone=False))
    allowed = Settings(standalone=False, allow_resolved=("127.0.0.0/8",))
    assert is_permitted("127.0.0.9", 80, allowed)
    assert is_permitted("10.1.2.3", 80, Settings(standalone=False))
    assert is_permitted("93.184.216.34", 443, Settings(standalone=False))
