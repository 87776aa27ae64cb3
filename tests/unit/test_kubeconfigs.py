"""Kubeconfigs in Secrets: which are taken, and what must not be in one."""

from __future__ import annotations

from base64 import b64encode
from pathlib import Path
from typing import Any

import pytest
import yaml

from serai.api.core import Secret
from serai.api.meta import Key, ObjectMeta
from serai.app.clusters.secrets import members, names_clusters
from serai.kube.access import ApiError
from serai.kube.kubeconfig import given_access


def kubeconfig(cluster: dict[str, Any], user: dict[str, Any]) -> bytes:
    found = {
        "current-context": "west",
        "clusters": [{"name": "west", "cluster": {"server": "https://west.example", **cluster}}],
        "users": [{"name": "reader", "user": {"token": "secret", **user}}],
        "contexts": [{"name": "west", "context": {"cluster": "west", "user": "reader"}}],
    }
    return yaml.safe_dump(found).encode()


async def test_a_server_and_a_token_are_enough() -> None:
    access = given_access(kubeconfig({}, {}))
    assert access.server == "https://west.example"
    await access.close()


@pytest.mark.parametrize(
    ("cluster", "user", "said"),
    [
        ({}, {"exec": {"apiVersion": "v1", "command": "touch"}}, "users[reader].exec"),
        ({}, {"auth-provider": {"name": "gcp"}}, "users[reader].auth-provider"),
        ({}, {"tokenFile": "/etc/shadow"}, "users[reader].tokenFile"),
        ({}, {"client-certificate": "/a", "client-key": "/b"}, "users[reader].client-certificate"),
        ({}, {"as": "admin"}, "users[reader].as"),
        ({"certificate-authority": "/etc/passwd"}, {}, "clusters[west].certificate-authority"),
        ({"insecure-skip-tls-verify": True}, {}, "clusters[west].insecure-skip-tls-verify"),
        ({"proxy-url": "http://p.example"}, {}, "clusters[west].proxy-url"),
    ],
)
def test_commands_files_and_blind_trust_are_refused(
    cluster: dict[str, Any], user: dict[str, Any], said: str
) -> None:
    with pytest.raises(ApiError) as caught:
        given_access(kubeconfig(cluster, user))
    assert f"{said} may not be there: " in str(caught.value)
    assert "secret" not in str(caught.value)


def test_what_no_context_uses_is_refused_too(tmp_path: Path) -> None:
    mark = tmp_path / "ran"
    found = yaml.safe_load(kubeconfig({}, {}))
    command = {"exec": {"apiVersion": "v1", "command": "touch", "args": [str(mark)]}}
    found["users"].append({"name": "other", "user": command})
    with pytest.raises(ApiError):
        given_access(yaml.safe_dump(found).encode())
    assert not mark.exists()


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"\xff\xfe",
        b"a: b: c",
        b"- a list",
        b"just text",
        b"{}",
        b"clusters: 1\ncontexts: 2\nusers: 3\ncurrent-context: x",
        b"clusters: [1]\ncontexts: [{}]\nusers: [null]\ncurrent-context: x",
        b"clusters: [{name: a, cluster: x}]\ncontexts: [{name: a, context: 5}]\ncurrent-context: a",
        kubeconfig({"server": 5}, {}),
        kubeconfig({"server": "no url"}, {"token": 7}),
        kubeconfig({"certificate-authority-data": "not base64!"}, {}),
        kubeconfig({"certificate-authority-data": b64encode(b"no PEM").decode()}, {}),
        kubeconfig({}, {"client-certificate-data": "eA==", "client-key-data": "eA=="}),
        kubeconfig({}, {}).replace(b"cluster: west", b"cluster: east"),
    ],
)
def test_whatever_is_in_one_is_a_failure_and_no_crash(text: bytes) -> None:
    with pytest.raises(ApiError):
        given_access(text)


def secret(name: str, label: str = "true", **clusters: str) -> Secret:
    meta = ObjectMeta(name=name, namespace="serai", labels={"istio/multiCluster": label})
    data = {each: b64encode(text.encode()).decode() for each, text in clusters.items()}
    return Secret(metadata=meta, data=data)


def test_secrets_name_clusters_by_their_keys() -> None:
    assert names_clusters(secret("a"))
    assert not names_clusters(secret("a", label="false"))
    found, problems = members([secret("b", west="2", south="3"), secret("a", west="1")], "east")
    assert {name: (each.secret.name, each.kubeconfig) for name, each in found.items()} == {
        "west": ("a", b"1"),
        "south": ("b", b"3"),
    }
    (problem,) = problems
    assert problem.key == Key("Secret", "serai", "b")
    assert problem.path == "data[west]"
    assert "in Secret serai/a already" in problem.message


def test_our_own_cluster_is_no_other_one() -> None:
    found, (problem,) = members([secret("a", east="1")], "east")
    assert not found
    assert "this cluster itself" in problem.message


def test_a_secret_is_not_shown() -> None:
    found, _ = members([secret("a", west="token")], "east")
    assert "token" not in repr(found)
