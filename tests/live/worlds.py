"""Manifests that live tests share: a gateway in front of one backend, certificates, policies."""

from __future__ import annotations

import json
from base64 import b64encode

import trustme

from live.serving import Place


def edge(place: Place, backend: str, protocol: str = "HTTP") -> str:
    """A gateway that sends everything to one backendRef: requests, or with TCP bytes."""
    return f"""
        apiVersion: gateway.networking.k8s.io/v1
        kind: Gateway
        metadata: {{name: edge, namespace: shop}}
        spec:
          gatewayClassName: serai
          addresses: [{{value: {place.gateway}}}]
          listeners: [{{name: any, port: 8080, protocol: {protocol}}}]
        ---
        apiVersion: gateway.networking.k8s.io/v1
        kind: {protocol}Route
        metadata: {{name: all, namespace: shop}}
        spec:
          parentRefs: [{{name: edge}}]
          rules: [{{backendRefs: [{backend}]}}]
        """


def entry(
    name: str, *addresses: str, port: int = 8081, protocol: str = "HTTP", resolution: str = "STATIC"
) -> str:
    """A ServiceEntry whose port 80 is its endpoints' 8081."""
    listed = ", ".join(f"{{address: {each}}}" for each in addresses)
    return f"""
        apiVersion: networking.istio.io/v1
        kind: ServiceEntry
        metadata: {{name: {name}, namespace: shop}}
        spec:
          hosts: [{name}.example]
          resolution: {resolution}
          ports: [{{number: 80, name: http, protocol: {protocol}, targetPort: {port}}}]
          endpoints: [{listed}]
        """


def shop(place: Place, *entries: str) -> str:
    """A gateway that sends what is asked for under /NAME to the entry of that name.

    `entries` are as `entry` makes them.
    """
    names = [each.split("{name: ", 1)[1].partition(",")[0] for each in entries]
    rules = "".join(
        f"""
          - matches: [{{path: {{value: /{name}}}}}]
            backendRefs:
            - {{group: networking.istio.io, kind: ServiceEntry, name: {name}, port: 80}}"""
        for name in names
    )
    gateway = f"""
        apiVersion: gateway.networking.k8s.io/v1
        kind: Gateway
        metadata: {{name: edge, namespace: shop}}
        spec:
          gatewayClassName: serai
          addresses: [{{value: {place.gateway}}}]
          listeners: [{{name: any, port: 8080, protocol: HTTP}}]
        ---
        apiVersion: gateway.networking.k8s.io/v1
        kind: HTTPRoute
        metadata: {{name: all, namespace: shop}}
        spec:
          parentRefs: [{{name: edge}}]
          rules:{rules}
        """
    return "\n        ---".join((gateway, *entries))


def config(name: str, spec: str) -> str:
    """A BackendConfigPolicy for the entry of that name; `spec` is in flow style, no braces."""
    target = f"{{group: networking.istio.io, kind: ServiceEntry, name: {name}}}"
    return f"""
        apiVersion: gateway.kgateway.dev/v1alpha1
        kind: BackendConfigPolicy
        metadata: {{name: {name}, namespace: shop}}
        spec: {{targetRefs: [{target}], {spec}}}
        """


def rule(host: str, spec: str, name: str = "rule") -> str:
    """A DestinationRule of namespace shop; `spec` is in flow style, without its braces."""
    return f"""
        apiVersion: networking.istio.io/v1
        kind: DestinationRule
        metadata: {{name: {name}, namespace: shop}}
        spec: {{host: {host}, {spec}}}
        """


def config_map(ca: trustme.CA, name: str = "ca") -> str:
    """A ConfigMap with a CA certificate."""
    pem = json.dumps(ca.cert_pem.bytes().decode())
    return f"""
        apiVersion: v1
        kind: ConfigMap
        metadata: {{name: {name}, namespace: shop}}
        data: {{ca.crt: {pem}}}
        """


def secret(name: str, ca: trustme.CA, leaf: trustme.LeafCert) -> str:
    """A Secret with a CA certificate, and a certificate with its key."""

    def encoded(text: bytes) -> str:
        return b64encode(text).decode()

    chain = b"".join(each.bytes() for each in leaf.cert_chain_pems)
    return f"""
        apiVersion: v1
        kind: Secret
        metadata: {{name: {name}, namespace: shop}}
        data:
          ca.crt: {encoded(ca.cert_pem.bytes())}
          tls.crt: {encoded(chain)}
          tls.key: {encoded(leaf.private_key_pem.bytes())}
        """
