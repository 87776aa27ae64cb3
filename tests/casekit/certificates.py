"""Certificates of a case, made anew for each run, so that none expires in the repository."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from functools import cache

import trustme

from serai.api.decode import decode
from serai.api.meta import Object

_CA = trustme.CA()


def made(wanted: Mapping[str, Sequence[str]]) -> tuple[Object, ...]:
    """A Secret for each ``namespace/name``, for the hosts under it."""
    return tuple(_secret(name, tuple(hosts)) for name, hosts in wanted.items())


@cache
def _secret(name: str, hosts: tuple[str, ...]) -> Object:
    pair = _CA.issue_cert(*hosts)
    pem = {"tls.crt": pair.cert_chain_pems[0].bytes(), "tls.key": pair.private_key_pem.bytes()}
    namespace, _, short = name.partition("/")
    found = decode(
        {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"namespace": namespace, "name": short},
            "type": "kubernetes.io/tls",
            "data": {key: base64.b64encode(value).decode() for key, value in pem.items()},
        }
    )
    assert found.object is not None, found.problems
    return found.object
