"""Callers that show a name and a password.  Envoy: envoy.filters.http.basic_auth."""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Iterable

import re2

from serai.api.traffic_auth import BasicAuth as Spec
from serai.ir.origin import Value
from serai.policies.feature import (
    Asked,
    Compiled,
    Context,
    Encoded,
    Fault,
    Feature,
    Judgement,
    Stage,
)
from serai.proto.envoy import BasicAuth

FILTER = "envoy.filters.http.basic_auth"
LINE = re2.compile(r"([^:\s]+):\{SHA\}([A-Za-z0-9+/]{27}=)")
"""A user and the SHA-1 of a password, the one form of htpasswd that Envoy reads."""

OTHER_HASHES = (
    ("$2", "bcrypt"),
    ("$apr1$", "MD5"),
    ("$5$", "SHA-256"),
    ("$6$", "SHA-512"),
    ("{SSHA}", "salted SHA-1"),
)
"""How hashes begin that others than Envoy verify."""


class Users(Value, frozen=True):
    """Names and what their passwords hash to; None where nobody is asked for one."""

    hashes: tuple[tuple[str, str], ...] | None = None

    def __repr__(self) -> str:
        return f"Users({', '.join(name for name, _ in self.hashes or ())})"


def _compile(context: Context, spec: Spec) -> Compiled | Fault:
    if [bool(spec.users), spec.secret_ref is not None, spec.disable is not None].count(True) != 1:
        return Fault("", "one of users, secretRef and disable is needed")
    if spec.disable is not None:
        return Compiled(Users())
    path, lines = "users", spec.users
    if spec.secret_ref is not None:
        path = "secretRef"
        written = _file(context, spec)
        if isinstance(written, Fault):
            return Fault(path, written.message, written.reason)
        lines = tuple(written.splitlines())
    found, faults = _users(lines, path)
    if not found:
        return Fault(path, "no line is a user and a SHA-1, such as htpasswd -s writes")
    return Compiled(Users(found), faults=tuple(faults))


def _file(context: Context, spec: Spec) -> str | Fault:
    reference = spec.secret_ref
    if reference is None:
        return ""
    secret = context.secret(reference.name, reference.namespace)
    if isinstance(secret, Fault):
        return secret
    if reference.key in secret.string_data:
        return secret.string_data[reference.key]
    if reference.key not in secret.data:
        return Fault("", f"Secret {reference.name} has no key {reference.key}")
    return base64.b64decode(secret.data[reference.key]).decode(errors="replace")


def _users(lines: Iterable[str], path: str) -> tuple[tuple[tuple[str, str], ...], list[Fault]]:
    """Users, each once; and lines that are none, by number only, since they hold secrets."""
    found: dict[str, str] = {}
    faults: list[Fault] = []
    for number, line in enumerate(lines, 1):
        text = line.strip()
        if not text or text.startswith("#"):
            continue
        user = LINE.fullmatch(text)
        if user is None:
            words = f"line {number} is left out: {_why_not(text)}"
            faults.append(Fault(path, words, "PartiallyInvalid"))
        elif user[1] in found:
            words = f"line {number} is left out: user {user[1]} comes before it"
            faults.append(Fault(path, words, "PartiallyInvalid"))
        else:
            found[user[1]] = user[2]
    return tuple(sorted(found.items())), faults


def _why_not(line: str) -> str:
    """Why a line is no user; what is said never has any of it, since it may be a secret."""
    _, _, hashed = line.partition(":")
    kind = next((kind for start, kind in OTHER_HASHES if hashed.startswith(start)), None)
    if kind is None:
        return "it is no user:{SHA}..., which htpasswd -s writes"
    return (
        f"its password is hashed by {kind}; Envoy verifies {{SHA}} only, which htpasswd -s writes"
    )


def _encode(users: Users) -> Encoded:
    if users.hashes is None:
        return Encoded()
    lines = "\n".join(f"{name}:{{SHA}}{hashed}" for name, hashed in users.hashes)
    return Encoded(filters=((FILTER, BasicAuth(users={"inline_string": lines})),))


def _judge(users: Users, asked: Asked) -> Judgement:
    if users.hashes is None:
        return Judgement("no password is asked for")
    challenge = (("www-authenticate", f'Basic realm="http://{asked.authority}{asked.path}"'),)
    shown = asked.header("authorization") or ""
    if not shown.startswith("Basic "):
        return Judgement("no name and password", status=401, headers=challenge)
    try:
        name, _, password = base64.b64decode(shown.removeprefix("Basic ")).partition(b":")
    except ValueError:
        return Judgement("no name and password", status=401, headers=challenge)
    known = dict(users.hashes).get(name.decode(errors="replace"), "")
    hashed = base64.b64encode(hashlib.sha1(password, usedforsecurity=False).digest()).decode()
    if not hmac.compare_digest(known, hashed):
        return Judgement("a wrong name or password", status=401, headers=challenge)
    return Judgement(f"user {name.decode(errors='replace')}")


BASIC_AUTH = Feature(
    name="basicAuth",
    stage=Stage.TOKENS,
    compile=_compile,
    encode=_encode,
    judge=_judge,
    fails_closed=500,
)
