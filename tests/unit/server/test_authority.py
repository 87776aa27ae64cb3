"""Certificates of our own: renewed in time, and never trusted by fewer than they serve."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from cryptography.x509.verification import PolicyBuilder, Store

from serai.server.authority import (
    AUTHORITY_LIFE,
    SERVING_LIFE,
    SPREAD,
    Keys,
    Pair,
    from_data,
    is_vouched_for,
    pair,
    settled,
    to_data,
)

HOSTS = ("serai.serai-system.svc",)
NOW = datetime(2026, 11, 25, tzinfo=UTC)


def is_trusted(keys: Keys, trust: bytes, now: datetime) -> bool:
    """Whether somebody with these authorities believes the serving certificate."""
    store = Store(x509.load_pem_x509_certificates(trust))
    verifier = PolicyBuilder().store(store).time(now).build_server_verifier(x509.DNSName(HOSTS[0]))
    leaf = x509.load_pem_x509_certificate(keys.serving.certificate)
    try:
        verifier.verify(leaf, [])
    except x509.verification.VerificationError:
        return False
    return True


def test_what_is_made_is_trusted_and_kept_as_it_is() -> None:
    keys = settled(None, HOSTS, NOW)
    assert is_trusted(keys, keys.trust, NOW)
    assert settled(keys, HOSTS, NOW + SERVING_LIFE / 2) is keys


def test_a_former_authority_that_nobody_can_read_is_of_no_use() -> None:
    data = to_data(settled(None, HOSTS, NOW))
    broken = b"-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n"
    assert from_data({**data, "gone.crt": broken}) is None


def test_the_certificate_is_renewed_long_before_its_end() -> None:
    keys = settled(None, HOSTS, NOW)
    later = NOW + SERVING_LIFE * 0.7
    renewed = settled(keys, HOSTS, later)
    assert renewed.serving != keys.serving
    assert renewed.authority == keys.authority
    assert is_trusted(renewed, keys.trust, later)
    assert is_trusted(keys, keys.trust, later), "there is no hurry"


def test_other_names_are_served_at_once() -> None:
    keys = settled(None, ("10.0.0.1",), NOW)
    assert not is_trusted(keys, keys.trust, NOW)
    assert is_trusted(settled(keys, HOSTS, NOW), keys.trust, NOW)


def test_a_new_authority_is_trusted_by_all_before_it_signs() -> None:
    """Through all its life, looked at each day, whoever was told a day ago can be served."""
    told = keys = settled(None, HOSTS, NOW)
    now, authorities = NOW, {keys.authority}
    while now < NOW + AUTHORITY_LIFE * 1.5:
        now += timedelta(days=1, hours=1)
        told, keys = keys, settled(keys, HOSTS, now)
        authorities.add(keys.authority)
        assert is_trusted(keys, told.trust, now), "an Envoy that was told last time"
        assert is_trusted(told, keys.trust, now), "a replica that has not looked yet"
    assert len(authorities) == 3
    assert timedelta(days=1, hours=1) > SPREAD


def test_a_secret_keeps_all_of_it() -> None:
    keys = settled(None, HOSTS, NOW)
    assert from_data(to_data(keys)) == keys
    renewing = settled(keys, HOSTS, NOW + AUTHORITY_LIFE * 0.7)
    assert renewing.coming is not None
    assert from_data(to_data(renewing)) == renewing
    later = settled(renewing, HOSTS, NOW + AUTHORITY_LIFE * 0.7 + 2 * SPREAD)
    assert later.gone == keys.authority.certificate
    assert from_data(to_data(later)) == later


@pytest.mark.parametrize("name", ["tls.key", "ca.crt", "tls.crt"])
def test_a_secret_that_does_not_fit_is_of_no_use(name: str) -> None:
    data, other = (to_data(settled(None, HOSTS, NOW)) for _ in range(2))
    assert from_data({**data, name: other[name]}) is None
    assert from_data({**data, name: b"nonsense"}) is None
    assert from_data({key: value for key, value in data.items() if key != name}) is None


def test_a_secret_whose_authority_did_not_sign_is_of_no_use() -> None:
    data, other = (to_data(settled(None, HOSTS, NOW)) for _ in range(2))
    theirs = {name: other[name] for name in ("ca.crt", "ca.key")}
    assert from_data({**data, **theirs}) is None


def test_a_certificate_is_vouched_for_by_its_chain_too() -> None:
    root, between = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    own = ec.generate_private_key(ec.SECP256R1())
    top = signed("root", root, "root", root, ca=True)
    middle = signed("between", between, "root", root, ca=True)
    leaf = signed("leaf", own, "between", between, ca=False)
    stranger = settled(None, HOSTS, NOW).trust
    assert is_vouched_for(Pair(leaf + middle, b""), top)
    assert is_vouched_for(Pair(leaf, b""), stranger + middle)
    assert is_vouched_for(Pair(leaf, b""), leaf)
    assert not is_vouched_for(Pair(leaf, b""), top), "who signed it is not said"
    assert not is_vouched_for(Pair(leaf + middle, b""), stranger)
    assert not is_vouched_for(Pair(leaf + stranger, b""), top)


def signed(
    name: str,
    key: ec.EllipticCurvePrivateKey,
    by: str,
    signing: ec.EllipticCurvePrivateKey,
    *,
    ca: bool,
) -> bytes:
    """A certificate in PEM."""
    subject, issuer = (
        x509.Name([x509.NameAttribute(x509.oid.NameOID.COMMON_NAME, each)]) for each in (name, by)
    )
    builder = x509.CertificateBuilder().subject_name(subject).issuer_name(issuer)
    builder = builder.public_key(key.public_key()).serial_number(x509.random_serial_number())
    builder = builder.not_valid_before(NOW).not_valid_after(NOW + SERVING_LIFE)
    builder = builder.add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
    return builder.sign(signing, SHA256()).public_bytes(Encoding.PEM)


def test_a_key_of_another_certificate_is_refused() -> None:
    one, other = settled(None, HOSTS, NOW), settled(None, HOSTS, NOW)
    with pytest.raises(ValueError, match="not that of the certificate"):
        pair(one.serving.certificate, other.serving.key)


def test_a_key_that_cannot_be_read_is_refused() -> None:
    one = settled(None, HOSTS, NOW).serving
    locked = load_pem_private_key(one.key, None).private_bytes(
        Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"secret")
    )
    with pytest.raises(ValueError, match="cannot be used"):
        pair(one.certificate, locked)


def test_a_secret_of_another_make_is_of_no_use() -> None:
    data = to_data(settled(None, HOSTS, NOW))
    nameless = {"tls.crt": data["ca.crt"], "tls.key": data["ca.key"]}
    assert from_data({**data, **nameless}) is None, "it says for no host what it is for"
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    name = x509.Name([x509.NameAttribute(x509.oid.NameOID.COMMON_NAME, "somebody else's")])
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name)
    builder = builder.public_key(key.public_key()).serial_number(1)
    builder = builder.not_valid_before(NOW).not_valid_after(NOW + AUTHORITY_LIFE)
    theirs = {
        "ca.crt": builder.sign(key, SHA256()).public_bytes(Encoding.PEM),
        "ca.key": key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()),
    }
    assert from_data({**data, **theirs}) is None, "we could not sign with it"
