"""Smaller answers, and requests that come compressed.

Envoy: envoy.filters.http.compressor and envoy.filters.http.decompressor, one of each for a codec.
"""

from __future__ import annotations

from typing import Any

from google.protobuf.message import Message

from serai.api.traffic_shaping import Codecs
from serai.ir.origin import Value
from serai.policies.feature import Asked, Compiled, Context, Encoded, Feature, Judgement, Stage
from serai.proto import envoy
from serai.proto.pool import pack

_CODINGS = {"Gzip": "gzip", "Brotli": "br", "Zstd": "zstd"}


class Libraries(Value, frozen=True):
    """The codecs, the preferred first; none: as it is."""

    names: tuple[str, ...] = ()


def _compile(_: Context, spec: Codecs) -> Compiled:
    return Compiled(Libraries(() if spec.disable is not None else spec.libraries))


def _compressed(libraries: Libraries) -> Encoded:
    return Encoded(filters=tuple(_compressor(each) for each in libraries.names))


def _compressor(name: str) -> tuple[str, Message]:
    library = {
        "Gzip": envoy.GzipCompressor,
        "Brotli": envoy.BrotliCompressor,
        "Zstd": envoy.ZstdCompressor,
    }[name]()
    found = envoy.Compressor(compressor_library=_library(name, "compressor", library))
    return f"envoy.filters.http.compressor.{name.lower()}", found


def _decompressed(libraries: Libraries) -> Encoded:
    return Encoded(filters=tuple(_decompressor(each) for each in libraries.names))


def _decompressor(name: str) -> tuple[str, Message]:
    library = {
        "Gzip": envoy.GzipDecompressor,
        "Brotli": envoy.BrotliDecompressor,
        "Zstd": envoy.ZstdDecompressor,
    }[name]()
    found = envoy.Decompressor(
        decompressor_library=_library(name, "decompressor", library),
        request_direction_config={"advertise_accept_encoding": {"value": False}},
        response_direction_config={"common_config": _OFF},
    )
    return f"envoy.filters.http.decompressor.{name.lower()}", found


_OFF: dict[str, Any] = {
    "enabled": {"default_value": {"value": False}, "runtime_key": "serai.decompress_responses"}
}


def _library(name: str, what: str, config: Message) -> dict[str, Any]:
    return {"name": f"{name.lower()}.{what}", "typed_config": pack(config)}


def _judge_answer(libraries: Libraries, asked: Asked) -> Judgement:
    accepted = (asked.header("accept-encoding") or "").lower()
    found = [each for each in libraries.names if _CODINGS[each] in accepted]
    return Judgement(f"answers of text by {found[0]}" if found else "answers as they are")


def _judge_request(libraries: Libraries, asked: Asked) -> Judgement:
    coding = (asked.header("content-encoding") or "").lower()
    found = [each for each in libraries.names if _CODINGS[each] == coding]
    return Judgement(f"the body is unpacked by {found[0]}" if found else "the body as it is")


RESPONSE_COMPRESSION = Feature(
    name="compression.responseCompression",
    stage=Stage.ROUTE,
    compile=_compile,
    encode=_compressed,
    judge=_judge_answer,
)
REQUEST_DECOMPRESSION = Feature(
    name="compression.requestDecompression",
    stage=Stage.ACCEPTED,
    compile=_compile,
    encode=_decompressed,
    judge=_judge_request,
)
