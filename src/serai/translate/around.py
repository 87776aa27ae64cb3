"""Which policies apply to all that reaches a captured port."""

from __future__ import annotations

from serai.attach.frontends import FrontendKey
from serai.incremental import Reader
from serai.ir.leaf import Leaf
from serai.model.service import ServicePort
from serai.translate.collections import Attached


def around_port(
    reader: Reader, attached: Attached, key: FrontendKey, port: ServicePort, host: str
) -> list[Leaf]:
    """What applies to all that reaches a host of a captured port, the most specific first."""
    return [
        *attached.policies.at(reader, key.service, port.sections, host),
        *attached.policies.of_gateway(reader, key.waypoint),
    ]
