"""A ServiceEntry with endpoints in several places."""

from __future__ import annotations


def entry(endpoints: list[str]) -> str:
    listed = ", ".join(f"{{address: {each}}}" for each in endpoints)
    return f"""
        apiVersion: networking.istio.io/v1
        kind: ServiceEntry
        metadata: {{name: pay, namespace: shop}}
        spec:
          hosts: [pay.example.com]
          addresses: [240.0.0.7]
          ports: [{{number: 8000, name: http, protocol: HTTP, targetPort: 3000}}]
          resolution: STATIC
          endpoints: [{listed}]
        """


ENTRY = "{group: networking.istio.io, kind: ServiceEntry, name: pay}"
