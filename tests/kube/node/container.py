"""The command that runs a Pod's container as its spec says: user, volumes, root file system."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any

Json = Mapping[str, Any]

ENTRY_POINT = "/usr/local/bin/envoy"
"""Of the image, whose arguments the spec has."""


def command(
    space: str, folder: Path, envoy: Path, pod: Json, address: str, volumes: Mapping[str, Path]
) -> list[str]:
    """What to execute; `folder` is the Pod's own, `volumes` the folders of its volumes by name.

    Its root is this machine's, with what is mounted laid over it, and read-only if so asked.
    """
    (container,) = pod["spec"]["containers"]
    root = folder / "root"
    layers = f"lowerdir=/,upperdir={folder}/upper,workdir={folder}/work"
    lines = [
        f"mount -t tmpfs tmpfs {folder}",
        f"mkdir {folder}/upper {folder}/work {root}",
        f"mount -t overlay overlay -o {layers} {root}",
        f"touch {root}{ENTRY_POINT}",
        f"mount --bind {envoy} {root}{ENTRY_POINT}",
    ]
    for mount in container.get("volumeMounts", ()):
        inside = f"{root}{mount['mountPath']}"
        lines += [f"mkdir -p {inside}", f"mount --bind {volumes[mount['name']]} {inside}"]
        if mount.get("readOnly"):
            lines.append(f"mount -o remount,bind,ro {inside}")
    context = {**pod["spec"].get("securityContext", {}), **container.get("securityContext", {})}
    if context.get("readOnlyRootFilesystem"):
        lines.append(f"mount -o remount,ro {root}")
    lines += [f"mount --rbind /dev {root}/dev", f"mount --rbind /proc {root}/proc"]
    environment = _environment(pod, container, address)
    argv = [_expanded(each, environment) for each in container.get("args", ())]
    program = container.get("command", [ENTRY_POINT])
    lines.append(
        shlex.join(
            ["exec", "chroot", str(root), "env", "-i"]
            + [f"{name}={value}" for name, value in environment.items()]
            + [*_as_user(context), *program, *argv]
        )
    )
    script = "set -e\n" + "\n".join(lines)
    return ["ip", "netns", "exec", space, "unshare", "-m", "bash", "-c", script]


def _environment(pod: Json, container: Json, address: str) -> dict[str, str]:
    found = {"PATH": "/usr/local/bin:/usr/bin:/bin"}
    facts = {
        "metadata.name": pod["metadata"]["name"],
        "metadata.namespace": pod["metadata"]["namespace"],
        "status.podIP": address,
    }
    for each in container.get("env", ()):
        reference = each.get("valueFrom", {}).get("fieldRef")
        value = facts[reference["fieldPath"]] if reference else each.get("value", "")
        found[each["name"]] = _expanded(value, found)
    return found


def _expanded(text: str, environment: Mapping[str, str]) -> str:
    for name, value in environment.items():
        text = text.replace(f"$({name})", value)
    return text


def _as_user(context: Json) -> list[str]:
    found = ["setpriv", "--clear-groups"]
    if "runAsUser" in context:
        found += ["--reuid", str(context["runAsUser"]), "--regid", str(context["runAsGroup"])]
    if not context.get("allowPrivilegeEscalation", True):
        found.append("--no-new-privs")
    if "ALL" in context.get("capabilities", {}).get("drop", ()):
        found += ["--bounding-set", "-all", "--inh-caps", "-all"]
    return found
