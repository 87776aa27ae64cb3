"""Lines that are no users, and what is said of them."""

from __future__ import annotations

import pytest

from serai.policies.basic_auth import Users, _judge, _users
from serai.policies.feature import Asked

GOOD = "alice:{SHA}w3QkzGJswDXW5OKZHAJw0FELjfM="


@pytest.mark.parametrize(
    ("hashed", "kind"),
    [
        ("$2y$05$bFvrYk0", "bcrypt"),
        ("$apr1$x5Zk1$", "MD5"),
        ("$5$salt$", "SHA-256"),
        ("$6$salt$", "SHA-512"),
        ("{SSHA}abc", "salted SHA-1"),
    ],
)
def test_hashes_of_another_kind_are_named_and_nothing_of_the_line_is(
    hashed: str, kind: str
) -> None:
    found, (fault,) = _users([GOOD, f"bob:{hashed}"], "users")
    assert [name for name, _ in found] == ["alice"]
    assert (fault.path, fault.reason) == ("users", "PartiallyInvalid")
    assert "line 2" in fault.message and f"by {kind};" in fault.message
    assert "htpasswd -s" in fault.message
    assert hashed not in fault.message and "bob" not in fault.message


def test_a_password_in_the_clear_is_told_by_its_line_only() -> None:
    _, (fault,) = _users(["bob:secret"], "users")
    assert "line 1" in fault.message and "secret" not in fault.message


@pytest.mark.parametrize("shown", ["Basic é", "Basic a", "Basic ====", "Basic", "Bearer a", ""])
def test_a_trace_of_what_is_no_name_and_password_is_answered_401(shown: str) -> None:
    asked = Asked("GET", "a.example", "/", (("authorization", shown),), None)
    assert _judge(Users((("alice", "w3Qk"),)), asked).status == 401
