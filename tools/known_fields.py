"""Writes src/serai/api/known_fields.txt: every field name and scalar type of the kinds we read.

The fields of Gateway API and Istio kinds come from their CustomResourceDefinitions, those of
Kubernetes' own kinds from lightkube's models, which are generated from Kubernetes' OpenAPI
description and are needed by this script only:

    uv run --with lightkube python tools/known_fields.py CRDS src/serai/api/known_fields.txt

CRDS is a folder searched for ``*.yaml`` with CustomResourceDefinitions; without it the folder
``data/crds`` below ``$SERAI_SHARED`` is taken.  The format is described in serai.api.fields.
"""

from __future__ import annotations

import importlib
import os
import sys
import types as types_module
import typing
from pathlib import Path
from typing import Any

import msgspec
import yaml

from serai.api import kinds

HEADER = "# Written by tools/known_fields.py; serai.api.fields describes the format.\n"

MODELS = {"": "core_v1", "discovery.k8s.io": "discovery_v1"}

FORMER_FIELDS = {"Endpoint": "topology:{string}"}
"""Fields of former versions that lightkube-models no longer has: v1beta1's endpoints[].topology."""

TOP = "apiVersion kind metadata:ObjectMeta"
"""What every object has; Istio's definitions leave it out."""

ALIASES = {"datetime": "string"}

SCALARS = {"string": "string", "integer": "int", "number": "number", "boolean": "bool"}


class Types(dict[str, str]):
    """Type name to its fields as text; equal types of CRDs share the name of the first."""

    def __init__(self) -> None:
        """Starts empty."""
        super().__init__()
        self.names: dict[str, str] = {}

    def intern(self, name: str, fields: str) -> str:
        """The name under which these fields are kept."""
        if name.count(".") and fields in self.names:
            return self.names[fields]
        self.names.setdefault(fields, name)
        self[name] = fields
        return name


def crd_schemas(folder: Path) -> dict[tuple[str, str], list[dict[str, Any]]]:
    """The schemas of all versions of every CustomResourceDefinition, by group and kind."""
    found: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for path in sorted(folder.rglob("*.yaml")):
        for document in yaml.load_all(path.read_text("utf-8"), yaml.CSafeLoader):
            if document and document.get("kind") == "CustomResourceDefinition":
                spec = document["spec"]
                found[spec["group"], spec["names"]["kind"]] = [
                    version["schema"]["openAPIV3Schema"] for version in spec["versions"]
                ]
    return found


def crd_types(folder: Path) -> Types:
    """The types of our kinds that have a CustomResourceDefinition below a folder."""
    types = Types()
    schemas = crd_schemas(folder)
    for kind in kinds.KINDS:
        if versions := schemas.get((kind.group, kind.name)):
            fields = {field for version in versions for field in version["properties"]}
            parts = [
                written(field, add_object(types, f"{kind.name}.{field}", below))
                for field in sorted(fields - {"apiVersion", "kind", "metadata"})
                if (below := [v["properties"][field] for v in versions if field in v["properties"]])
            ]
            types[kind.name] = " ".join([TOP, *parts])
    return types


def add_object(types: Types, name: str, schemas: list[dict[str, Any]]) -> str:
    """Adds an object's type, the union of its versions, and those it is made of."""
    properties: dict[str, list[dict[str, Any]]] = {}
    for schema in schemas:
        for field, below in schema.get("properties", {}).items():
            properties.setdefault(field, []).append(below)
    parts = [
        written(field, schema_type(types, f"{name}.{field}", below), below[0].get("default"))
        for field, below in sorted(properties.items())
    ]
    if any(schema.get("x-kubernetes-preserve-unknown-fields") for schema in schemas):
        parts.append("...")
    return types.intern(name, " ".join(parts))


def schema_type(types: Types, name: str, schemas: list[dict[str, Any]]) -> str:
    """The notation of a schema's type."""
    first = schemas[0]
    if first.get("x-kubernetes-int-or-string"):
        return "int-or-string"
    if first.get("type") == "array":
        return f"[{schema_type(types, name, [schema['items'] for schema in schemas])}]"
    if "properties" in first:
        return add_object(types, name, schemas)
    if isinstance(first.get("additionalProperties"), dict):
        below = [schema["additionalProperties"] for schema in schemas]
        return f"{{{schema_type(types, name, below)}}}"
    return SCALARS.get(str(first.get("type")), "any")


def written(field: str, kind: str, default: object = None) -> str:
    """One field: its name, its type unless string, its default if that is a scalar."""
    text = field if kind == "string" else f"{field}:{kind}"
    if isinstance(default, bool):
        return f"{text}={str(default).lower()}"
    return f"{text}={default}" if isinstance(default, (str, int)) else text


def model_types() -> Types:
    """The types of Kubernetes' own kinds, and ObjectMeta."""
    types = Types()
    roots = [("meta_v1", "ObjectMeta")]
    roots += [(MODELS[kind.group], kind.name) for kind in kinds.KINDS if kind.group in MODELS]
    for module, name in roots:
        add_model(types, getattr(importlib.import_module(f"lightkube.models.{module}"), name))
    return types


def add_model(types: Types, model: Any) -> str:
    """Adds a model class's type and those it is made of."""
    name = str(model.__name__)
    if types.names.setdefault(name, model.__module__) != model.__module__:
        raise ValueError(f"two types are called {name}")
    if name in types:
        return name
    types[name] = ""
    parts = [
        written(
            field.encode_name,
            "any"
            if "Quantity" in model.__annotations__[field.name]
            else hint_type(types, field.type),
        )
        for field in msgspec.structs.fields(model)
    ]
    if name in FORMER_FIELDS and model.__module__.endswith("discovery_v1"):
        parts.append(FORMER_FIELDS[name])
    types[name] = " ".join(sorted(parts))
    return name


def hint_type(types: Types, hint: Any) -> str:
    """The notation of a type annotation."""
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin in (typing.Union, types_module.UnionType):
        inner = [argument for argument in arguments if argument is not type(None)]
        return hint_type(types, inner[0]) if len(inner) == 1 else "int-or-string"
    if origin is list:
        return f"[{hint_type(types, arguments[0])}]"
    if hint is dict or origin is dict:
        return "{any}"
    if isinstance(hint, type) and issubclass(hint, msgspec.Struct):
        return add_model(types, hint)
    plain = {str: "string", int: "int", float: "number", bool: "bool"}
    return plain.get(hint) or ALIASES.get(getattr(hint, "__name__", ""), "any")


def render(types: Types) -> str:
    """The lines of some types, sorted by name."""
    return "".join(f"{name} {fields}\n" for name, fields in sorted(types.items()))


def main() -> None:
    """Writes the file named by the last argument."""
    *folder, target = sys.argv[1:]
    crds = Path(folder[0]) if folder else Path(os.environ["SERAI_SHARED"], "data/crds")
    Path(target).write_text(HEADER + render(model_types()) + render(crd_types(crds)), "utf-8")


if __name__ == "__main__":
    main()
