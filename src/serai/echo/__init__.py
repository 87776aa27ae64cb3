"""Servers that stand for workloads and say which of them answered: for demos and tests."""

from serai.echo.endpoint import OVER_TLS, EchoEndpoint, Identity, Mode, parse_endpoint
from serai.echo.process import echo_process
from serai.echo.request import EchoRequest
from serai.echo.server import echo
from serai.echo.tls import Tls

__all__ = [
    "OVER_TLS",
    "EchoEndpoint",
    "EchoRequest",
    "Identity",
    "Mode",
    "Tls",
    "echo",
    "echo_process",
    "parse_endpoint",
]
