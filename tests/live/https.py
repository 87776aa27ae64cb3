"""Gateways that end TLS, and clients of theirs."""

from __future__ import annotations

import base64
import textwrap

import trustme

from live.serving import Place

PORT = 18443
REFUSED = "(?i)reset|pipe|closed|eof|alert|ssl"


def secret(name: str, certificate: trustme.LeafCert, key: trustme.LeafCert | None = None) -> str:
    chain = b"".join(each.bytes() for each in certificate.cert_chain_pems)
    pair = {"tls.crt": chain, "tls.key": (key or certificate).private_key_pem.bytes()}
    data = ", ".join(f"{at}: {base64.b64encode(pem).decode()}" for at, pem in pair.items())
    return f"""
        apiVersion: v1
        kind: Secret
        metadata: {{name: {name}, namespace: shop}}
        type: kubernetes.io/tls
        data: {{{data}}}
        """


def gateway(place: Place, listeners: str, more: str = "") -> str:
    head = f"""
        apiVersion: gateway.networking.k8s.io/v1
        kind: Gateway
        metadata: {{name: edge, namespace: shop}}
        spec:
          gatewayClassName: serai
          addresses: [{{value: {place.gateway}}}]
        """
    body = f"listeners:\n{textwrap.dedent(listeners)}{textwrap.dedent(more)}"
    return textwrap.dedent(head) + textwrap.indent(body, "  ")


def https(name: str, hostname: str, *certificates: str, port: int = PORT) -> str:
    refs = ", ".join(f"{{name: {each}}}" for each in certificates)
    host = f", hostname: '{hostname}'" if hostname else ""
    return (
        f"- {{name: {name}, port: {port}, protocol: HTTPS{host},"
        f" tls: {{certificateRefs: [{refs}]}}}}\n"
    )


def route(name: str, section: str, endpoint: str) -> str:
    return f"""
        apiVersion: networking.istio.io/v1
        kind: ServiceEntry
        metadata: {{name: {name}, namespace: shop}}
        spec:
          hosts: [{name}.internal]
          ports: [{{number: 80, name: http, protocol: HTTP, targetPort: 3000}}]
          resolution: STATIC
          endpoints: [{{address: {endpoint}}}]
        ---
        apiVersion: gateway.networking.k8s.io/v1
        kind: HTTPRoute
        metadata: {{name: {name}, namespace: shop}}
        spec:
          parentRefs: [{{name: edge, sectionName: {section}}}]
          rules:
          - backendRefs:
            - {{group: networking.istio.io, kind: Hostname, name: {name}.internal, port: 80}}
        """


def policy(section: str, config: str) -> str:
    return f"""
        apiVersion: gateway.kgateway.dev/v1alpha1
        kind: ListenerPolicy
        metadata: {{name: of-{section}, namespace: shop}}
        spec:
          targetRefs:
          - {{group: gateway.networking.k8s.io, kind: Gateway, name: edge, sectionName: {section}}}
          default: {config}
        """


def authority(name: str, ca: trustme.CA) -> str:
    pem = textwrap.indent(ca.cert_pem.bytes().decode(), "    ")
    return (
        f"apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {name}, namespace: shop}}\n"
        f"data:\n  ca.crt: |\n{pem}"
    )
