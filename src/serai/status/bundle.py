"""Which bundles of the Gateway API's CRDs are supported.  Gateway API: SupportedVersion."""

from __future__ import annotations

import re

from serai.attach.verdict import Verdict, refused

ANNOTATION = "gateway.networking.k8s.io/bundle-version"
"""On each CRD of the Gateway API: the release that it is of."""

CLASSES = "gatewayclasses.gateway.networking.k8s.io"
"""The CRD that is looked at: the one that is there wherever a GatewayClass is."""

KNOWN = (1, 6)
"""The newest release of which every field is known, by its major and minor version."""

_RELEASE = re.compile(r"v(\d+)\.(\d+)\.\d+(?:-[0-9A-Za-z.-]+)?")


def supported_version(bundle: str) -> Verdict:
    """The verdict on what the annotation says; empty: the CRD has none.

    Within a major version fields are only added to what is standard, so that every minor version
    before ours is supported too.
    """
    release = _RELEASE.fullmatch(bundle)
    if release is not None:
        major, minor = (int(part) for part in release.groups())
        if major == KNOWN[0] and minor <= KNOWN[1]:
            return Verdict(ok=True, reason="SupportedVersion")
    known = f"v{KNOWN[0]}.{KNOWN[1]}"
    are = f"are of {bundle}" if bundle else f"have no annotation {ANNOTATION}"
    return refused(
        "UnsupportedVersion",
        f"the Gateway API's CRDs {are}, and Serai knows v{KNOWN[0]} up to {known}: it serves "
        "what it knows; an object with a field that it does not know is told as a problem "
        "(SER0005)",
    )
