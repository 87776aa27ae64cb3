"""Which other clusters there are: what Secrets say.  Istio: remote secrets.

A Secret of our own namespace with the label ``istio/multiCluster: "true"`` has a kubeconfig under
the name of each cluster.
"""

from __future__ import annotations

from base64 import b64decode
from binascii import Error as NotBase64
from collections.abc import Iterable, Mapping

import msgspec

from serai.api.core import Secret
from serai.api.meta import Key
from serai.api.problem import Problem

LABEL, VALUE = "istio/multiCluster", "true"

REMEDY = "Write a kubeconfig with the API server's certificate authority and a token in it."


class Member(msgspec.Struct, frozen=True):
    """Another cluster as a Secret has it."""

    name: str
    secret: Key
    kubeconfig: bytes = msgspec.field(default=b"")

    def __repr__(self) -> str:
        return f"Member({self.name}, {self.secret})"


def names_clusters(secret: Secret) -> bool:
    """Whether a Secret is about other clusters."""
    return secret.metadata.labels.get(LABEL) == VALUE


def members(
    secrets: Iterable[Secret], own: str
) -> tuple[Mapping[str, Member], tuple[Problem, ...]]:
    """The clusters that Secrets name, and what is wrong.  `own` is the name of our own.

    Of several Secrets that have one name the first by its own name counts, whichever came first.
    """
    found: dict[str, Member] = {}
    problems: list[Problem] = []
    for secret in sorted(secrets, key=lambda each: each.key):
        for name, value in sorted(secret.data.items()):
            if name == own:
                message = f"{name} is the name of this cluster itself; it is not followed"
                problems.append(refused(secret.key, name, message, "Give one another --cluster-id"))
            elif name in found:
                message = f"cluster {name} is in {found[name].secret} already, which counts"
                problems.append(refused(secret.key, name, message, "Remove one of the two."))
            else:
                member = Member(name, secret.key, _decoded(value))
                found[name] = member
    return found, tuple(problems)


def refused(secret: Key, name: str, message: str, remedy: str = REMEDY) -> Problem:
    """What a Secret has under a key cannot be used."""
    return Problem("SER1211", "error", message, remedy, key=secret, path=f"data[{name}]")


def _decoded(value: str) -> bytes:
    try:
        return b64decode(value, validate=True)
    except NotBase64:
        return b""
