"""What the Gateway API's definitions refuse in Gateways and ListenerSets.

Each listener is looked at by itself; conflicts between them are told in statuses.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from serai.api.faults import HOSTNAME_RULE, clash, port_faults, twice, wrong
from serai.api.gateway import Gateway, Listener
from serai.api.gateway_tls import FrontendTLSConfig, TLSConfig
from serai.api.listener_set import ListenerSet
from serai.api.problem import Problem
from serai.api.syntax import is_subdomain, is_wildcard_hostname

OPTIONS = "kgateway.dev/"
"""What the options of a listener's TLS that mean something begin with."""
_MOST_OPTIONS = 16
_PLAIN = frozenset({"HTTP", "TCP", "UDP"})
_WITHOUT_HOSTS = frozenset({"TCP", "UDP"})


def check_gateway(gateway: Gateway) -> Iterator[Problem]:
    """Listeners, requested addresses and TLS of a Gateway."""
    yield from _listeners(gateway.spec.listeners)
    rule = gateway.spec.allowed_listeners.namespaces
    if rule.from_ == "Selector" and rule.selector is None:
        here = "spec.allowedListeners.namespaces"
        yield clash(here, f"{here}.from is Selector without a selector", "Add selector.")
    asked = [f"{each.type} {each.value}" if each.value else "" for each in gateway.spec.addresses]
    yield from twice("spec.addresses", asked, ".value", "address")
    frontend = gateway.spec.tls.frontend if gateway.spec.tls else None
    if frontend is not None:
        yield from _frontend(frontend)


def check_listener_set(listener_set: ListenerSet) -> Iterator[Problem]:
    """The listeners of a ListenerSet."""
    if not listener_set.spec.listeners:
        yield clash("spec.listeners", "spec.listeners is empty", "Add a listener.")
    yield from _listeners(listener_set.spec.listeners)


def _listeners(listeners: Sequence[Listener]) -> Iterator[Problem]:
    for index, listener in enumerate(listeners):
        path = f"spec.listeners[{index}]"
        if not is_subdomain(listener.name):
            yield wrong(f"{path}.name", listener.name, "a name", "Use a-z, 0-9, '-' and '.'.")
        yield from port_faults(f"{path}.port", listener.port)
        if listener.hostname and not is_wildcard_hostname(listener.hostname):
            yield wrong(f"{path}.hostname", listener.hostname, "a host name", HOSTNAME_RULE)
        if listener.hostname and listener.protocol in _WITHOUT_HOSTS:
            message = f"{path} has a hostname, which protocol {listener.protocol} does not know"
            yield clash(f"{path}.hostname", message, "Remove the hostname.")
        namespaces = listener.allowed_routes.namespaces
        if namespaces.from_ == "Selector" and namespaces.selector is None:
            here = f"{path}.allowedRoutes.namespaces"
            yield clash(here, f"{here}.from is Selector without a selector", "Add selector.")
        yield from _tls(path, listener)
    yield from twice("spec.listeners", [one.name for one in listeners], ".name", "name")


def _tls(path: str, listener: Listener) -> Iterator[Problem]:
    tls, protocol = listener.tls, listener.protocol
    here = f"{path}.tls"
    if tls is None:
        if protocol == "TLS":
            yield clash(here, f"{path} is of protocol TLS without tls", "Add tls with its mode.")
        return
    if protocol in _PLAIN:
        yield clash(here, f"{path} is of protocol {protocol} and has tls", "Use HTTPS or TLS.")
    elif protocol == "HTTPS" and tls.mode != "Terminate":
        message = f"{path} is of protocol HTTPS, and its tls.mode is {tls.mode}"
        yield clash(f"{here}.mode", message, "Use protocol TLS to pass TLS through.")
    if tls.mode == "Terminate" and not tls.certificate_refs and not tls.options:
        message = f"{here} ends TLS without a certificate"
        yield clash(f"{here}.certificateRefs", message, "Name a Secret of type kubernetes.io/tls.")
    for name in sorted(tls.options):
        if not name.startswith(OPTIONS):
            message = f"{here}.options {name} means nothing here and changes nothing"
            remedy = f"Use one of those that begin with {OPTIONS}."
            yield Problem("SER0007", "warning", message, remedy, path=f"{here}.options")
    if len(tls.options) > _MOST_OPTIONS:
        message = f"{here}.options has {len(tls.options)} entries"
        yield clash(f"{here}.options", message, f"Keep at most {_MOST_OPTIONS}.")


def _frontend(frontend: FrontendTLSConfig) -> Iterator[Problem]:
    path = "spec.tls.frontend"
    yield from _validation(f"{path}.default", frontend.default)
    for index, each in enumerate(frontend.per_port):
        yield from port_faults(f"{path}.perPort[{index}].port", each.port)
        yield from _validation(f"{path}.perPort[{index}].tls", each.tls)
    ports = [each.port for each in frontend.per_port]
    yield from twice(f"{path}.perPort", ports, ".port", "port")


def _validation(path: str, config: TLSConfig) -> Iterator[Problem]:
    if config.validation is not None and not config.validation.ca_certificate_refs:
        here = f"{path}.validation.caCertificateRefs"
        yield clash(here, f"{here} is empty", "Name a ConfigMap with a CA in ca.crt.")
