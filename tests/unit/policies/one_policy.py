"""What becomes of one policy on one ServiceEntry behind a waypoint."""

from __future__ import annotations

import textwrap

import yaml

from serai.api.decode import decode
from serai.api.problem import Problem
from serai.app.core import Core
from serai.ir.leaf import FailClosed
from serai.model.settings import Settings
from serai.views.problems import found_by

WORLD = """
    apiVersion: v1
    kind: Namespace
    metadata: {name: shop, labels: {istio.io/use-waypoint: waypoint}}
    ---
    apiVersion: gateway.networking.k8s.io/v1
    kind: Gateway
    metadata: {name: waypoint, namespace: shop}
    spec: {gatewayClassName: serai-waypoint}
    ---
    apiVersion: networking.istio.io/v1
    kind: ServiceEntry
    metadata: {name: pay, namespace: shop}
    spec:
      hosts: [pay.example]
      addresses: [10.70.2.1]
      ports: [{number: 80, name: http, protocol: HTTP}]
      resolution: STATIC
      endpoints: [{address: 127.70.2.1}]
"""


def told(spec: str, *more: str, kind: str = "TrafficPolicy") -> list[Problem]:
    """What is said of the policy with this spec, or of anything that could not be computed."""
    target = "targetRefs: [{group: networking.istio.io, kind: ServiceEntry, name: pay}]"
    policy = f"""
        apiVersion: gateway.kgateway.dev/v1alpha1
        kind: {kind}
        metadata: {{name: odd, namespace: shop}}
        spec: {{{target}, {spec}}}
    """
    problems, core = _core(WORLD, policy, *more)
    return [*problems, *found_by(core.pipeline)]


def world_with(*texts: str) -> Core:
    """The world with these documents."""
    return _core(WORLD, *texts)[1]


def _core(*texts: str) -> tuple[list[Problem], Core]:
    """What came of these documents, and what is wrong with them in themselves."""
    core = Core(Settings())
    plain = [textwrap.dedent(each) for each in texts]
    decoded = [decode(each) for text in plain for each in yaml.safe_load_all(text)]
    core.apply([each.object for each in decoded if each.object])
    return [problem for each in decoded for problem in each.problems], core


def decided(action: str, rule: str) -> tuple[list[Problem], int]:
    """What is said of an AuthorizationPolicy with this rule; and what answers for it, or 0."""
    policy = f"""
        apiVersion: security.istio.io/v1
        kind: AuthorizationPolicy
        metadata: {{name: odd, namespace: shop}}
        spec:
          targetRefs: [{{group: networking.istio.io, kind: ServiceEntry, name: pay}}]
          action: {action}
          rules: [{rule}]
    """
    _, core = _core(WORLD, policy)
    leaves = [
        leaf for _, row in core.pipeline.attached.policies.compiled.items() for leaf in row.leaves
    ]
    closed = [leaf.value.status for leaf in leaves if isinstance(leaf.value, FailClosed)]
    return found_by(core.pipeline), closed[0] if closed else 0
