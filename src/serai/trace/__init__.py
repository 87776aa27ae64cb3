"""One request followed through a proxy's configuration, as its Envoy would, without sending it."""

from serai.trace.follow import trace
from serai.trace.lines import lines
from serai.trace.outcome import Answered, Closed, Forwarded, Redirected, Share, Step, Trace
from serai.trace.request import Destination, GatewayPort, TraceRequest
from serai.trace.resolve import Unresolved, resolve
from serai.trace.view import ProxyView, View
from serai.trace.withheld import withheld

__all__ = [
    "Answered",
    "Closed",
    "Destination",
    "Forwarded",
    "GatewayPort",
    "ProxyView",
    "Redirected",
    "Share",
    "Step",
    "Trace",
    "TraceRequest",
    "Unresolved",
    "View",
    "lines",
    "resolve",
    "trace",
    "withheld",
]
