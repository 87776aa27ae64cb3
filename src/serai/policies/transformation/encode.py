"""Transformations for Envoy: whatever a filter of its own can do, and a script for the rest.

Fields of bodies in JSON are read by the filter that is made for it, which passes over bodies that
are none; all other bodies, and metadata, are the script's.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from google.protobuf.message import Message

from serai.policies.feature import Encoded
from serai.policies.script import quoted, script, table
from serai.policies.transformation.template import Body, Field, Header, Template, Text
from serai.policies.transformation.values import Changes, Side
from serai.proto.envoy import HeaderMutation, TransformConfig

MUTATION, TRANSFORM = "envoy.filters.http.header_mutation", "envoy.filters.http.transform"
REQUEST, RESPONSE = "REQUEST", "RESPONSE"


def encode(changes: Changes) -> Encoded:
    """The filters that make these changes."""
    return Encoded(filters=tuple(_filters(changes)))


def _filters(changes: Changes) -> Iterator[tuple[str, Message]]:
    sides = ((REQUEST, changes.request), (RESPONSE, changes.response))
    plain = {way: list(_mutations(side, way, of_json=False)) for way, side in sides}
    if any(plain.values()):
        fields = {f"{way.lower()}_mutations": found for way, found in plain.items()}
        yield MUTATION, HeaderMutation(mutations=fields)
    if any(side.metadata or list(_templates(side)) for _, side in sides):
        yield script(_source(changes))
    request, response = _json(changes.request, REQUEST), _json(changes.response, RESPONSE)
    if request or response:
        yield (
            TRANSFORM,
            TransformConfig(
                request_transformation=request or None, response_transformation=response or None
            ),
        )


def _json(side: Side, way: str) -> dict[str, Any]:
    found: dict[str, Any] = {}
    mutations = list(_mutations(side, way, of_json=True))
    if mutations:
        found["headers_mutations"] = mutations
    if side.body is not None and _of_json(side.body):
        text = {"inline_string": _format(side.body, way)}
        body_format = {"text_format_source": text, "omit_empty_values": True}
        found["body_transformation"] = {"body_format": body_format, "action": "REPLACE"}
    return found


def _of_json(template: Template) -> bool:
    return any(isinstance(each, Field) for each in template)


def _mutations(side: Side, way: str, *, of_json: bool) -> Iterator[dict[str, Any]]:
    """In the order in which they are made: remove, set, add."""
    if not of_json:
        yield from ({"remove": name} for name in side.remove)
    for pairs, action in (
        (side.set, "OVERWRITE_IF_EXISTS_OR_ADD"),
        (side.add, "APPEND_IF_EXISTS_OR_ADD"),
    ):
        for name, template in pairs:
            if _of_json(template) is of_json:
                header = {"key": name, "value": _format(template, way)}
                yield {
                    "append": {
                        "header": header,
                        "append_action": action,
                        "keep_empty_value": True,
                    }
                }


def _format(template: Template, way: str) -> str:
    return "".join(_operator(each, way) for each in template)


def _operator(piece: Text | Header | Body | Field, way: str) -> str:
    match piece:
        case Text(text):
            return text.replace("%", "%%")
        case Header(name, of_request):
            return f"%REQ({name})%" if of_request or way == REQUEST else f"%RESP({name})%"
        case Field(path):
            return f"%{way}_BODY({':'.join(path)})%"
        case Body():
            return ""


def _source(changes: Changes) -> str:
    kept = {
        piece.name
        for template in _templates(changes.response)
        for piece in template
        if isinstance(piece, Header) and piece.of_request
    }
    return (
        f"local kept = {table(sorted(kept))}\n"
        f"local request = {_side(changes.request)}\n"
        f"local response = {_side(changes.response)}\n{_SCRIPT}"
    )


def _templates(side: Side) -> Iterator[Template]:
    if side.body is not None and not _of_json(side.body):
        yield side.body
    yield from (template for _, _, template in side.metadata)


def _side(side: Side) -> str:
    has_body = side.body is not None and not _of_json(side.body)
    body = _pieces(side.body or ()) if has_body else "nil"
    metadata = ", ".join(
        f"{{{quoted(namespace)}, {quoted(key)}, {_pieces(template)}}}"
        for namespace, key, template in side.metadata
    )
    return f"{{body = {body}, metadata = {{{metadata}}}}}"


def _pieces(template: Template) -> str:
    return "{" + ", ".join(_lua(each) for each in template) + "}"


def _lua(piece: Text | Header | Body | Field) -> str:
    match piece:
        case Text(text):
            return f'{{"text", {quoted(text)}}}'
        case Header(name, of_request):
            return f'{{"{"request" if of_request else "own"}", {quoted(name)}}}'
        case _:
            return '{"body"}'


_SCRIPT = """
local function filled(pieces, handle, asked)
  local texts = {}
  for _, piece in ipairs(pieces) do
    local kind, value = piece[1], piece[2]
    if kind == "own" then value = handle:headers():get(value) or "" end
    if kind == "request" then value = asked(value) or "" end
    if kind == "body" then
      local body = handle:body(true)
      value = body:getBytes(0, body:length())
    end
    texts[#texts + 1] = value
  end
  return table.concat(texts)
end

local function change(handle, side, asked)
  local metadata = handle:streamInfo():dynamicMetadata()
  for _, each in ipairs(side.metadata) do
    metadata:set(each[1], each[2], filled(each[3], handle, asked))
  end
  if side.body then
    local length = handle:body(true):setBytes(filled(side.body, handle, asked))
    handle:headers():replace("content-length", length)
  end
end

function envoy_on_request(handle)
  local headers = handle:headers()
  for _, name in ipairs(kept) do
    local value = headers:get(name) or ""
    handle:streamInfo():dynamicMetadata():set("serai.transformation", name, value)
  end
  change(handle, request, function(name) return headers:get(name) end)
end

function envoy_on_response(handle)
  local found = handle:streamInfo():dynamicMetadata():get("serai.transformation") or {}
  change(handle, response, function(name) return found[name] end)
end
"""
