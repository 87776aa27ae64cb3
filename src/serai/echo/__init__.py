"""Servers that stand for workloads and say which of them answered: for demos and tests."""

from serai.echo.endpoint import EchoEndpoint, Identity, parse_endpoint
from serai.echo.process import echo_process
from serai.echo.server import echo

__all__ = ["EchoEndpoint", "Identity", "echo", "echo_process", "parse_endpoint"]
