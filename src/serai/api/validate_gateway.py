"""What the Gateway API's definition of GatewayClass refuses."""

from __future__ import annotations

import re
from collections.abc import Iterator

from serai.api.faults import wrong
from serai.api.gateway import GatewayClass
from serai.api.problem import Problem

_CONTROLLER = re.compile(r"[a-z0-9.-]+/[A-Za-z0-9/\-._~%!$&'()*+,;=:]+")


def check_gateway_class(gateway_class: GatewayClass) -> Iterator[Problem]:
    """GatewayClass.spec.controllerName."""
    name = gateway_class.spec.controller_name
    if not _CONTROLLER.fullmatch(name):
        path = "spec.controllerName"
        yield wrong(path, name, "a domain and a path", "Write it as example.com/name.")
