"""Whose certificates clients must show, listener by listener.  Envoy: DownstreamTlsContext."""

from __future__ import annotations

from serai.api.gateway_tls import ObjectReference
from serai.api.listener_policy import ClientCertificateValidation
from serai.api.meta import Key
from serai.ir.origin import Value
from serai.listener_policies.setting import Changes, Setting
from serai.model.pem import CA, bundle_fault, value_of
from serai.policies.feature import Compiled, Context, Fault

_CORE = frozenset({"", "core"})


class Trusted(Value, frozen=True):
    """Those who vouch for clients, as PEM; nobody, where they cannot be had."""

    pem: str
    sources: tuple[Key, ...] = ()
    optional: bool = False
    """Whether clients may show no certificate; one that they show has to be good."""


def _compile(context: Context, written: ClientCertificateValidation) -> Compiled | Fault:
    """All that are named have to be there: who is left out could get in otherwise."""
    found: dict[Key, str] = {}
    faults: list[Fault] = []
    for index, ref in enumerate(written.ca_certificate_refs):
        pem = _bundle(context, ref)
        if isinstance(pem, Fault):
            faults.append(Fault(f"caCertificateRefs[{index}]", pem.message, pem.reason))
        else:
            found[Key(ref.kind, ref.namespace or context.policy.namespace, ref.name)] = pem
    if not found and not faults:
        faults.append(Fault("caCertificateRefs", "nobody is named who vouches for clients"))
    if faults:
        return Compiled(Trusted(""), faults=tuple(faults))
    text = "\n".join(pem.strip() for pem in found.values()) + "\n"
    return Compiled(Trusted(text, tuple(found), written.mode == "Optional"))


def _bundle(context: Context, ref: ObjectReference) -> str | Fault:
    if ref.group not in _CORE or ref.kind not in {"ConfigMap", "Secret"}:
        return Fault("", f"{ref.kind} {ref.name} is neither a ConfigMap nor a Secret")
    if ref.kind == "ConfigMap":
        config_map = context.config_map(ref.name, ref.namespace)
        pem = config_map if isinstance(config_map, Fault) else value_of(config_map, CA)
    else:
        secret = context.secret(ref.name, ref.namespace)
        pem = secret if isinstance(secret, Fault) else value_of(secret, CA)
    if isinstance(pem, Fault):
        return pem
    fault = bundle_fault(pem) if pem else f"no {CA}"
    return Fault("", f"{ref.kind} {ref.name} holds {fault}") if fault else pem


CLIENT_CERTIFICATES = Setting(
    "clientCertificateValidation",
    "client_certificate_validation",
    _compile,
    lambda _: Changes(),  # it is in the chain's TLS: serai.translate.gateway_tls
    http=False,
    closed="Nobody is let in until then",
)

SETTINGS = (CLIENT_CERTIFICATES,)
