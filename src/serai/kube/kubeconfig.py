"""Kubeconfigs that others wrote: what may be in them, and the API server that they lead to.

Whoever can write a Secret must not thereby run commands here, read our files, or have us talk to
somebody whom nobody vouches for.  Istio: PILOT_INSECURE_MULTICLUSTER_KUBECONFIG_OPTIONS.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec
import yaml

from serai.kube.access import Access, ApiError, access_of
from serai.kube.wire import Failure

_COMMAND = "it would run a command here"
_FILE = "it names a file of this machine"
_NOT_DONE = "it is not supported"

REFUSED: Mapping[str, Mapping[str, str]] = {
    "cluster": {
        "certificate-authority": _FILE,
        "insecure-skip-tls-verify": "nobody would vouch for the API server",
        "tls-server-name": _NOT_DONE,
        "proxy-url": _NOT_DONE,
    },
    "user": {
        "exec": _COMMAND,
        "auth-provider": _COMMAND,
        "tokenFile": _FILE,
        "client-certificate": _FILE,
        "client-key": _FILE,
        "as": _NOT_DONE,
        "as-uid": _NOT_DONE,
        "as-groups": _NOT_DONE,
        "as-user-extra": _NOT_DONE,
    },
}
"""Fields that must not be used, by what they are of, and why."""


def given_access(text: bytes) -> Access:
    """The API server of the current context.  Nothing is asked yet.

    Raises ApiError where the kubeconfig cannot be used, or may not.
    """
    from lightkube import ConfigError, KubeConfig  # noqa: PLC0415  0.1 s

    found = _read(text)
    try:
        single = KubeConfig.from_dict(found).get()
    except (ConfigError, KeyError, TypeError, ValueError, msgspec.ValidationError) as error:
        raise _unusable(f"no context leads to an API server: {error}") from error
    if single is None:
        raise _unusable("it has no current context")
    try:
        return access_of(single)
    except (TypeError, AttributeError) as error:
        raise _unusable(str(error)) from error


def _read(text: bytes) -> dict[str, Any]:
    try:
        found = yaml.safe_load(text)
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise _unusable(f"not YAML: {str(error).splitlines()[0]}") from error
    if not isinstance(found, dict):
        raise _unusable("it is no kubeconfig")
    for path, reason in _refused(found):
        raise _unusable(f"{path} may not be there: {reason}")
    return found


def _refused(config: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """All that must not be in it, used or not, with the reason."""
    for name, fields in REFUSED.items():
        listed = config.get(f"{name}s")
        for each in listed if isinstance(listed, list) else ():
            body = each.get(name) if isinstance(each, dict) else None
            given = body if isinstance(body, dict) else {}
            for field in fields:
                if given.get(field):
                    yield f"{name}s[{each.get('name')}].{field}", fields[field]


def _unusable(message: str) -> ApiError:
    return ApiError(Failure(message=message))
