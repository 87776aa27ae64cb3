"""Where a client of the control plane runs: what its endpoints are near to or far from."""

from __future__ import annotations

from serai.ir.cluster import Locality
from serai.ir.origin import Value


class Viewpoint(Value, frozen=True, order=True):
    """The place of one Envoy, or of all those that say the same of themselves."""

    locality: Locality = Locality()
    network: str = ""
    node: str = ""
    """The name of the machine."""
    labels: tuple[tuple[str, str], ...] = ()
    """Sorted."""
