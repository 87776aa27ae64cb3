"""The reference of a container's image: registry, repository, tag, digest.

Pure.
"""

from __future__ import annotations

from serai.api.gateway_parameters import Image


def image_with(reference: str, asked: Image) -> str:
    """An image of which some parts are others; whoever says a tag or a digest says both."""
    registry, repository, tag, digest = _parts(reference)
    if asked.tag or asked.digest:
        tag, digest = asked.tag or "", asked.digest or ""
    registry = registry if asked.registry is None else asked.registry
    name = "/".join(part for part in (registry, asked.repository or repository) if part)
    return name + (f":{tag}" if tag else "") + (f"@{digest}" if digest else "")


def _parts(reference: str) -> tuple[str, str, str, str]:
    name, _, digest = reference.partition("@")
    head, colon, tag = name.rpartition(":")
    if not colon or "/" in tag:
        head, tag = name, ""
    registry, slash, repository = head.partition("/")
    # As container runtimes tell a registry from the first part of a name.
    if slash and ("." in registry or ":" in registry or registry == "localhost"):
        return registry, repository, tag, digest
    return "", head, tag, digest
