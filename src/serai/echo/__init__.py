"""Servers that stand for workloads and say which of them answered: for demos and tests."""

from serai.echo.endpoint import EchoEndpoint, Identity, parse_endpoint
from serai.echo.process import echo_process
from serai.echo.request import EchoRequest
from serai.echo.server import echo
from serai.echo.tls import Tls

__all__ = [
    "EchoEndpoint",
    "EchoRequest",
    "Identity",
    "Tls",
    "echo",
    "echo_process",
    "parse_endpoint",
]
