"""What settings of listener policies come to, and what of them is told off."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from serai.api.access_log import LogFilter
from serai.listener_policies.log_filter import encode_filter, filter_fault
from serai.xds.encode.settings import merged
from unit.views.worlds import read

GATEWAY = """
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: edge, namespace: shop}
spec:
  gatewayClassName: serai
  listeners:
  - {name: one, port: 8001, protocol: HTTP, hostname: one.example}
  - {name: two, port: 8001, protocol: HTTP, hostname: two.example}
"""


def policy(settings: str, section: str = "") -> str:
    where = f", sectionName: {section}" if section else ""
    return f"""
---
apiVersion: gateway.kgateway.dev/v1alpha1
kind: ListenerPolicy
metadata: {{name: p, namespace: shop}}
spec:
  targetRefs: [{{group: gateway.networking.k8s.io, kind: Gateway, name: edge{where}}}]
  default: {settings}
"""


def told(tmp_path: Path, settings: str, section: str = "") -> list[tuple[str, str]]:
    """The codes and fields of all problems with a policy."""
    (tmp_path / "all.yaml").write_text(GATEWAY + policy(settings, section))
    found = read(tmp_path)
    of_pipeline = [problem for _, problem in found.pipeline.problems.items()]
    every = [*found.problems, *of_pipeline]
    mine = {(each.code, each.path) for each in every if each.key and each.key.name == "p"}
    return sorted(mine)


def test_what_listeners_of_a_port_share_is_told(tmp_path: Path) -> None:
    found = told(tmp_path, "{httpSettings: {serverName: x}}", "one")
    assert found == [("SER1021", "spec.targetRefs")]
    assert told(tmp_path, "{httpSettings: {serverName: x}}") == []


@pytest.mark.parametrize(
    ("settings", "path"),
    [
        ("healthCheck: {path: ok}", "healthCheck.path"),
        ("http2ProtocolOptions: {initialStreamWindowSize: 1Ki}", "http2ProtocolOptions"),
        ("earlyRequestHeaderModifier: {remove: [host]}", "earlyRequestHeaderModifier"),
        ('earlyRequestHeaderModifier: {remove: [""]}', "earlyRequestHeaderModifier"),
        (
            "earlyRequestHeaderModifier: {set: [{name: x y, value: a}]}",
            "earlyRequestHeaderModifier",
        ),
        (
            'earlyRequestHeaderModifier: {add: [{name: x, value: "a\\nb"}]}',
            "earlyRequestHeaderModifier",
        ),
        ('serverName: "a\\nb"', "serverName"),
        (
            (
                "localReplies: {mappers: [{filter: {statusCodeFilter: {op: GE, value: 500}}, "
                "headers: {set: [{name: x y, value: a}]}}]}"
            ),
            "localReplies.mappers[0].headers",
        ),
        (
            "forwardClientCertDetails: {mode: Sanitize, details: {uri: true}}",
            "forwardClientCertDetails.details",
        ),
        ("accessLog: [{}]", "accessLog[0]"),
        ('accessLog: [{fileSink: {path: /dev/null, stringFormat: "%NO%"}}]', "accessLog[0]"),
        (
            "accessLog: [{grpcService: {logName: x, backendRef: {name: gone, port: 1}}}]",
            "accessLog[0].grpcService.backendRef",
        ),
        ("localReplies: {mappers: [{filter: {}, body: x}]}", "localReplies.mappers[0].filter"),
        (
            "tracing: {provider: {openTelemetry: {grpcService: {backendRef: {name: gone}}}}}",
            "tracing.provider.openTelemetry.grpcService.backendRef.port",
        ),
    ],
)
def test_what_cannot_be_done_is_told_and_left_out(tmp_path: Path, settings: str, path: str) -> None:
    found = told(tmp_path, f"{{httpSettings: {{{settings}}}}}")
    assert [code for code, _ in found] == ["SER1002"], found
    assert found[0][1].startswith(f"spec.default.httpSettings.{path}")


@pytest.mark.parametrize(
    "settings",
    [
        "httpSettings: {idleTimeout: soon}",
        "httpSettings: {maxRequestHeadersKb: 0}",
        "httpSettings: {xffTrustedCIDRs: [10.0.0.0/8]}",
        "tcpKeepalive: {keepAliveTime: 10ms}",
    ],
)
def test_what_the_definition_refuses_is_told(tmp_path: Path, settings: str) -> None:
    assert {code for code, _ in told(tmp_path, f"{{{settings}}}")} & {"SER0102", "SER0104"}


@pytest.mark.parametrize(
    ("written", "fault"),
    [
        ({}, "one of its fields"),
        ({"traceableFilter": True, "notHealthCheckFilter": True}, "one of its fields"),
        ({"responseFlagFilter": {"flags": ["NR", "XX"]}}, "XX"),
        ({"grpcStatusFilter": {"statuses": ["FINE"]}}, "FINE"),
        ({"celFilter": {"match": "1 +"}}, "ERROR"),
        ({"andFilter": [{"traceableFilter": True}]}, "two filters"),
        (
            {"orFilter": [{"traceableFilter": True}, {"responseFlagFilter": {"flags": ["XX"]}}]},
            "XX",
        ),
    ],
)
def test_filters_that_envoy_would_refuse(written: dict[str, object], fault: str) -> None:
    found = filter_fault(convert(written))
    assert found is not None and fault.lower() in found.message.lower()


def test_every_filter_comes_to_one_of_envoys() -> None:
    every: dict[str, dict[str, object]] = {
        "status_code_filter": {"statusCodeFilter": {"op": "GE", "value": 500}},
        "duration_filter": {"durationFilter": {"op": "LE", "value": 5}},
        "not_health_check_filter": {"notHealthCheckFilter": True},
        "traceable_filter": {"traceableFilter": True},
        "header_filter": {"headerFilter": {"header": {"name": "x", "value": "y"}}},
        "response_flag_filter": {"responseFlagFilter": {"flags": ["NR"]}},
        "grpc_status_filter": {"grpcStatusFilter": {"statuses": ["OK"], "exclude": True}},
        "extension_filter": {"celFilter": {"match": "request.path == '/'"}},
        "runtime_filter": {"runtimeFilter": {"runtimeKey": "k"}},
    }
    for name, written in every.items():
        found = convert(written)
        assert filter_fault(found) is None
        assert list(encode_filter(found)) == [name]


def test_messages_are_merged_and_lists_are_not() -> None:
    under = {"a": {"b": 1, "c": [1]}, "d": [1]}
    over = {"a": {"c": [2]}, "d": [2], "e": 3}
    assert merged(under, over) == {"a": {"b": 1, "c": [2]}, "d": [2], "e": 3}


def convert(written: dict[str, object]) -> LogFilter:

    return msgspec.convert(written, LogFilter)
