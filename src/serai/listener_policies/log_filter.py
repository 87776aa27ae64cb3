"""Which requests are meant.  Envoy: AccessLogFilter, also of what Envoy answers itself."""

from __future__ import annotations

from typing import Any

from msgspec import structs

from serai.api.access_log import (
    CelFilter,
    GrpcStatusFilter,
    HeaderFilter,
    LogFilter,
    ResponseFlagFilter,
    SingleFilter,
    ValueFilter,
)
from serai.api.httproute import HTTPValueMatch
from serai.api.regex import regex_problem
from serai.policies import cel
from serai.policies.feature import Fault
from serai.proto.envoy import CelAccessLogFilter
from serai.proto.pool import pack

FLAGS = frozenset(
    [
        "LH",
        "UH",
        "UT",
        "LR",
        "UR",
        "UF",
        "UC",
        "UO",
        "NR",
        "DI",
        "FI",
        "RL",
        "UAEX",
        "RLSE",
        "DC",
        "URX",
        "SI",
        "IH",
        "DPE",
        "UMSDR",
        "RFCF",
        "NFCF",
        "DT",
        "UPE",
        "NC",
        "OM",
        "DF",
        "DO",
        "DR",
        "UDO",
    ]
)
"""Envoy's response flags."""
STATUSES = [
    "OK",
    "CANCELED",
    "UNKNOWN",
    "INVALID_ARGUMENT",
    "DEADLINE_EXCEEDED",
    "NOT_FOUND",
    "ALREADY_EXISTS",
    "PERMISSION_DENIED",
    "RESOURCE_EXHAUSTED",
    "FAILED_PRECONDITION",
    "ABORTED",
    "OUT_OF_RANGE",
    "UNIMPLEMENTED",
    "INTERNAL",
    "UNAVAILABLE",
    "DATA_LOSS",
    "UNAUTHENTICATED",
]
_JOINED = {"and_filter": "andFilter", "or_filter": "orFilter"}


def filter_fault(found: LogFilter) -> Fault | None:
    """What of a filter cannot be had."""
    asked = [name for name in found.__struct_fields__ if getattr(found, name) not in (None, ())]
    if len(asked) != 1:
        return Fault("", f"a filter has one of its fields, and there are {len(asked)}")
    if asked[0] not in _JOINED:
        return _fault(found)
    field = _JOINED[asked[0]]
    parts = found.and_filter or found.or_filter
    if len(parts) < 2:  # noqa: PLR2004  # one alone needs no joining
        return Fault(field, "it joins two filters or more")
    for index, each in enumerate(parts):
        fault = filter_fault(LogFilter(**structs.asdict(each)))
        if fault is not None:
            path = ".".join(part for part in (f"{field}[{index}]", fault.path) if part)
            return Fault(path, fault.message, fault.reason)
    return None


def _fault(found: SingleFilter) -> Fault | None:
    flags = found.response_flag_filter.flags if found.response_flag_filter else ()
    unknown = next((each for each in flags if each not in FLAGS), "")
    if unknown:
        return Fault("responseFlagFilter.flags", f"Envoy has no response flag {unknown}")
    statuses = found.grpc_status_filter.statuses if found.grpc_status_filter else ()
    odd = next((each for each in statuses if each not in STATUSES), "")
    if odd:
        return Fault("grpcStatusFilter.statuses", f"gRPC has no status {odd}")
    if found.cel_filter and (problem := cel.problem(found.cel_filter.match, answered=True)):
        return Fault("celFilter.match", problem)
    header = found.header_filter.header if found.header_filter else None
    if header and header.type == "RegularExpression" and (problem := regex_problem(header.value)):
        return Fault("headerFilter.header.value", problem)
    return None


def encode_filter(found: LogFilter) -> dict[str, Any]:
    """Envoy's AccessLogFilter."""
    if found.and_filter:
        return {"and_filter": {"filters": [_encode(each) for each in found.and_filter]}}
    if found.or_filter:
        return {"or_filter": {"filters": [_encode(each) for each in found.or_filter]}}
    return _encode(found)


def _encode(found: SingleFilter) -> dict[str, Any]:
    match found:
        case SingleFilter(status_code_filter=ValueFilter() as asked):
            return {"status_code_filter": _compared(asked, "serai.log.status")}
        case SingleFilter(duration_filter=ValueFilter() as asked):
            return {"duration_filter": _compared(asked, "serai.log.duration")}
        case SingleFilter(header_filter=HeaderFilter(header)):
            return {"header_filter": {"header": _header(header)}}
        case SingleFilter(response_flag_filter=ResponseFlagFilter(flags)):
            return {"response_flag_filter": {"flags": flags}}
        case SingleFilter(grpc_status_filter=GrpcStatusFilter(statuses, exclude)):
            return {"grpc_status_filter": {"statuses": statuses, "exclude": exclude}}
        case SingleFilter(cel_filter=CelFilter(condition)):
            config = CelAccessLogFilter(expression=condition)
            name = "envoy.access_loggers.extension_filters.cel"
            return {"extension_filter": {"name": name, "typed_config": pack(config)}}
        case _:
            return _by_chance(found)


def _by_chance(found: SingleFilter) -> dict[str, Any]:
    asked = found.runtime_filter
    if asked is None:
        name = "not_health_check_filter" if found.not_health_check_filter else "traceable_filter"
        return {name: {}}
    runtime: dict[str, Any] = {
        "runtime_key": asked.runtime_key,
        "use_independent_randomness": asked.use_independent_randomness,
    }
    if asked.percent_sampled:
        share = asked.percent_sampled
        runtime["percent_sampled"] = {
            "numerator": share.numerator,
            "denominator": share.denominator,
        }
    return {"runtime_filter": runtime}


def _compared(asked: ValueFilter, key: str) -> dict[str, Any]:
    value = {"default_value": asked.value, "runtime_key": key}
    return {"comparison": {"op": asked.op, "value": value}}


def _header(header: HTTPValueMatch) -> dict[str, Any]:
    if header.type == "RegularExpression":
        value: dict[str, Any] = {"safe_regex": {"regex": header.value}}
    else:
        value = {"exact": header.value}
    return {"name": header.name, "string_match": value}
