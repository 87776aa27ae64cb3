"""The HorizontalPodAutoscaler and the PodDisruptionBudget of a Gateway, where it asks for them.

Pure.
"""

from __future__ import annotations

from typing import Any

from serai.api.gateway_parameters import Overlay
from serai.kube.resource import Resource
from serai.kube.strategic import merge

Json = dict[str, Any]

AUTOSCALERS = Resource("autoscaling", "v2", "horizontalpodautoscalers", "HorizontalPodAutoscaler")
BUDGETS = Resource("policy", "v1", "poddisruptionbudgets", "PodDisruptionBudget")


def autoscaler(metadata: Json, asked: Overlay) -> Json:
    """Of the Deployment that is named as it is."""
    target = {"apiVersion": "apps/v1", "kind": "Deployment", "name": metadata["name"]}
    return _made(metadata, asked, {"scaleTargetRef": target})


def budget(metadata: Json, asked: Overlay, selector: dict[str, str]) -> Json:
    """Of the Pods of the Gateway."""
    return _made(metadata, asked, {"selector": {"matchLabels": selector}})


def _made(metadata: Json, asked: Overlay, ours: Json) -> Json:
    extra = {"labels": asked.metadata.labels, "annotations": asked.metadata.annotations}
    spec = merge(merge({}, asked.spec or {}), ours)
    return {"metadata": merge(extra, metadata), "spec": spec}
