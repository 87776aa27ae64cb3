"""Certificates whose time is over or has not come: told at the moment, and served all the same."""

from __future__ import annotations

import base64
from datetime import UTC, datetime

import trustme

from serai.api.decode import decode
from serai.api.meta import Key, Object
from serai.app.core import Core
from serai.model.settings import Settings
from serai.status.values import GatewayStatus

START, END = datetime(2030, 1, 1, tzinfo=UTC), datetime(2030, 2, 1, tzinfo=UTC)
GATEWAY = Key("Gateway", "shop", "edge")
DAY = 86_400


class Clock:
    """Stands still until it is set."""

    def __init__(self, now: datetime) -> None:
        self.now = now.timestamp()

    def __call__(self) -> float:
        return self.now


def decoded(raw: object) -> Object:
    found = decode(raw)
    assert found.object is not None, found.problems
    return found.object


def secret(name: str, *, until: datetime = END) -> Object:
    pair = trustme.CA().issue_cert(f"{name}.example", not_before=START, not_after=until)
    data = {"tls.crt": pair.cert_chain_pems[0].bytes(), "tls.key": pair.private_key_pem.bytes()}
    return decoded(
        {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"name": name, "namespace": "shop"},
            "type": "kubernetes.io/tls",
            "data": {key: base64.b64encode(value).decode() for key, value in data.items()},
        }
    )


def gateway(*names: str) -> Object:
    listeners = [
        {
            "name": name,
            "port": 443,
            "protocol": "HTTPS",
            "hostname": f"{name}.example",
            "tls": {"certificateRefs": [{"name": name}]},
        }
        for name in names
    ]
    return decoded(
        {
            "apiVersion": "gateway.networking.k8s.io/v1",
            "kind": "Gateway",
            "metadata": {"name": "edge", "namespace": "shop"},
            "spec": {"gatewayClassName": "serai", "listeners": listeners},
        }
    )


def told(core: Core, listener: str) -> dict[str, tuple[str, str, str]]:
    status = core.pipeline.statuses.row(GATEWAY)
    assert isinstance(status, GatewayStatus)
    found = next(each for each in status.listeners if each.name == listener)
    return {each.type: (each.status, each.reason, each.message) for each in found.conditions}


def test_a_certificate_is_told_of_before_and_after_its_time() -> None:
    clock = Clock(datetime(2029, 12, 31, tzinfo=UTC))
    core = Core(Settings(), now=clock)
    core.apply([gateway("a"), secret("a")])
    assert told(core, "a")["ResolvedRefs"] == (
        "False",
        "InvalidCertificateRef",
        "Secret shop/a is not valid before 2030-01-01 00:00 UTC; see the clock of who issued it",
    )
    assert not core.is_due()
    clock.now += DAY
    assert core.is_due()
    committed = core.commit()
    assert GATEWAY in committed.statuses
    assert committed.problems
    assert not any(committed.resources.values()), "the certificate is shown all the time"
    assert told(core, "a")["ResolvedRefs"][:2] == ("True", "ResolvedRefs")
    assert not core.is_due()
    clock.now = END.timestamp()
    assert core.is_due()
    core.commit()
    assert told(core, "a")["ResolvedRefs"] == (
        "False",
        "InvalidCertificateRef",
        "Secret shop/a expired at 2030-02-01 00:00 UTC; renew it",
    )
    assert told(core, "a")["Programmed"][:2] == ("True", "Programmed")
    assert not core.is_due()


def test_a_new_certificate_is_no_longer_told_of() -> None:
    core = Core(Settings(), now=Clock(END))
    core.apply([gateway("a", "b"), secret("a"), secret("b")])
    core.apply([secret("a", until=datetime(2031, 1, 1, tzinfo=UTC))])
    assert told(core, "a")["ResolvedRefs"][0] == "True"
    assert told(core, "b")["ResolvedRefs"][0] == "False"
    problems = [each for _, each in core.pipeline.problems.items()]
    assert [(each.code, each.path) for each in problems] == [("SER0309", "spec.listeners[1]")]
    assert "is served, but not as written: Secret shop/b expired" in problems[0].message


def test_a_secret_that_goes_is_forgotten() -> None:
    clock = Clock(START)
    core = Core(Settings(), now=clock)
    core.apply([gateway("a"), secret("a")])
    core.apply([], [Key("Secret", "shop", "a")])
    clock.now = END.timestamp()
    core.commit()
    assert told(core, "a")["ResolvedRefs"][2] == "Secret shop/a does not exist"


def test_without_a_clock_nothing_is_out_of_its_time() -> None:
    core = Core(Settings())
    core.apply([gateway("a"), secret("a", until=datetime(2030, 1, 2, tzinfo=UTC))])
    assert told(core, "a")["ResolvedRefs"][0] == "True"
    assert not core.is_due()
