"""A core that is told of other clusters, and what it makes of them."""

from __future__ import annotations

from typing import Any

from serai.api.decode import decode
from serai.api.meta import Object
from serai.app.core import Core
from serai.model.other_catalog import OtherCatalog, other_catalog
from serai.model.others import OtherKey, OtherService
from serai.model.settings import Settings

SETTINGS = Settings(standalone=False, cluster_id="east")


GLOBAL = {"istio.io/global": "true"}


def read(api_version: str, kind: str, name: str, spec: dict[str, Any], **more: Any) -> Object:
    meta = {"name": name, "namespace": "shop", "labels": more.pop("labels", {})}
    body = {"apiVersion": api_version, "kind": kind, "metadata": meta, "spec": spec, **more}
    found = decode(body)
    assert found.object is not None, found.problems
    return found.object


def service(labels: dict[str, str] = GLOBAL, port: int = 80, **spec: Any) -> Object:
    ports = [{"port": port, "name": "http", "targetPort": 8080}]
    body = {"ports": ports, "selector": {"app": "cart"}, **spec}
    return read("v1", "Service", "cart", body, labels=labels)


def pod(address: str, *, ready: bool = True, **labels: str) -> Object:
    status = {"podIP": address, "conditions": [{"type": "Ready", "status": str(ready)}]}
    return read("v1", "Pod", "cart-0", {}, labels={"app": "cart", **labels}, status=status)


def namespace(**labels: str) -> Object:
    meta = {"name": "shop", "labels": labels}
    found = decode({"apiVersion": "v1", "kind": "Namespace", "metadata": meta}).object
    assert found is not None
    return found


def told(cluster: str, *objects: Object, settings: Settings = SETTINGS) -> OtherCatalog:
    found = other_catalog(cluster, settings)
    found.apply(objects, ())
    return found


def put(core: Core, *clusters: OtherCatalog) -> None:
    inputs = core.pipeline.inputs
    for each in clusters:
        for backend, row in each.backends.items():
            inputs.other_backends.put(OtherKey(each.cluster, backend), row)
        for key, other in each.services.items():
            inputs.other_services.put(OtherService(each.cluster, key), other)
    core.commit()
