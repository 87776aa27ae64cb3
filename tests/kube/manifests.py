"""The kinds that tests write, and objects of theirs."""

from __future__ import annotations

from typing import Any

from serai.attach.gateways import CONTROLLER
from serai.kube.access import Access, ApiError
from serai.kube.resource import Resource
from serai.kube.wire import Name

CLASS = Resource("gateway.networking.k8s.io", "v1", "gatewayclasses", "GatewayClass")
CONFIG_MAP = Resource("", "v1", "configmaps", "ConfigMap")
DEPLOYMENT = Resource("apps", "v1", "deployments", "Deployment")
ENTRY = Resource("networking.istio.io", "v1", "serviceentries", "ServiceEntry")
GATEWAY = Resource("gateway.networking.k8s.io", "v1", "gateways", "Gateway")
NAMESPACE = Resource("", "v1", "namespaces", "Namespace")
PARAMETERS = Resource("gateway.kgateway.dev", "v1alpha1", "gatewayparameters", "GatewayParameters")
ROUTE = Resource("gateway.networking.k8s.io", "v1", "httproutes", "HTTPRoute")
SERVICE = Resource("", "v1", "services", "Service")


def head(resource: Resource, name: str) -> dict[str, Any]:
    return {
        "apiVersion": resource.api_version,
        "kind": resource.kind,
        "metadata": {"name": name},
    }


async def namespace(access: Access, name: str) -> str:
    """A namespace of this name, or of one like it where a run before has left one."""
    try:
        await access.create(NAMESPACE, "", {"metadata": {"name": name}})
    except ApiError as error:
        if error.status != 409:
            raise
        return await namespace(access, f"{name}-again")
    return name


async def gateway_class(access: Access) -> None:
    body = {**head(CLASS, "serai"), "spec": {"controllerName": CONTROLLER}}
    try:
        await access.create(CLASS, "", body)
    except ApiError as error:
        assert error.status == 409, error  # noqa: PT017


async def edge(access: Access, space: str, port: int) -> None:
    """A Gateway and the Service by which it is reached."""
    await gateway_class(access)
    listener = {"name": "http", "port": port, "protocol": "HTTP"}
    spec = {"gatewayClassName": "serai", "listeners": [listener]}
    await access.create(GATEWAY, space, {**head(GATEWAY, "edge"), "spec": spec})
    ports = [{"port": 80, "targetPort": port}]
    await access.create(SERVICE, space, {"metadata": {"name": "edge"}, "spec": {"ports": ports}})


async def entry(
    access: Access, space: str, host: str, endpoint: int, address: str = "127.0.0.1"
) -> None:
    spec = {
        "hosts": [host],
        "ports": [{"number": 80, "name": "http", "protocol": "HTTP"}],
        "resolution": "STATIC",
        "endpoints": [{"address": address, "ports": {"http": endpoint}}],
    }
    await access.create(ENTRY, space, {**head(ENTRY, "partner"), "spec": spec})


async def route(access: Access, space: str, host: str) -> None:
    backend = {"group": "networking.istio.io", "kind": "Hostname", "name": host, "port": 80}
    spec = {"parentRefs": [{"name": "edge"}], "rules": [{"backendRefs": [backend]}]}
    await access.create(ROUTE, space, {**head(ROUTE, "partner"), "spec": spec})


async def gateway(
    access: Access, space: str, class_name: str = "serai", name: str = "edge", **infrastructure: Any
) -> None:
    await gateway_class(access)
    spec = {
        "gatewayClassName": class_name,
        "listeners": [{"name": "http", "port": 80, "protocol": "HTTP"}],
        "infrastructure": infrastructure or {"labels": {"team": "edge"}},
    }
    await access.create(GATEWAY, space, {**head(GATEWAY, name), "spec": spec})


Json = dict[str, Any]


async def parameters(access: Access, space: str, name: str, **spec: Any) -> Json:
    """Apply GatewayParameters; the reference to them."""
    obj = {"metadata": {"name": name}, "spec": spec}
    await access.apply(PARAMETERS, Name(space, name), obj, manager="somebody")
    return {"group": PARAMETERS.group, "kind": PARAMETERS.kind, "name": name}
