"""TLS that a gateway's port takes: which chain a ClientHello leads to, and who ends it."""

from __future__ import annotations

from serai.attach.hostnames import covers, specificity
from serai.ir.listener import FilterChain, Listener, SniMatch
from serai.trace.outcome import Closed, Other, Step
from serai.trace.request import TraceRequest
from serai.trace.rewrite import without_port
from serai.trace.view import ProxyView


def server_name(request: TraceRequest) -> str:
    """What a client names in its ClientHello (SNI); empty if it names nothing or speaks no TLS."""
    if request.scheme != "https":
        return ""
    if request.server_name is not None:
        return request.server_name
    return without_port(request.authority).lower()


def chain_by_name(
    view: ProxyView, request: TraceRequest, listener: Listener, steps: list[Step]
) -> FilterChain | Closed:
    """The chain of the most specific host that covers the name.  Adds to `steps`."""
    name = server_name(request)
    shown = f"server name {name}" if name else "the client sends no TLS server name"
    found = [each for each in listener.sni if covers(each.host, name)]
    if not found:
        return Closed("no_chain", f"{shown}, and no listener of port {listener.port} is for it")
    found.sort(key=lambda each: specificity(each.host), reverse=True)
    chain = view.chain(found[0].chain)
    if chain is None:
        return Closed("no_chain", f"filter chain {found[0].chain} is not there")
    others = tuple(_other(each) for each in found[1:])
    steps.append(Step("server name", found[0].host, shown, chain.origin, others))
    return chain if chain.tls is None else _ended(chain, request, steps)


def _other(match: SniMatch) -> Other:
    return Other(match.host, "is less specific")


def _ended(chain: FilterChain, request: TraceRequest, steps: list[Step]) -> FilterChain | Closed:
    """A chain that ends TLS, for a client without a certificate of its own."""
    if request.scheme != "https":
        words = f"TLS is expected here, and the client speaks {request.scheme}"
        return Closed("not_tls", words)
    tls = chain.tls
    if tls is not None and tls.clients is not None and not tls.clients.insecure:
        return Closed(
            "no_certificate", "clients must show a certificate here, and this one has none"
        )
    shown = ", ".join(tls.certificates) if tls else ""
    steps.append(Step("tls", "ended here", f"by {shown}", chain.origin))
    return chain
