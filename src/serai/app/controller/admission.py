"""Which proxies may ask for a Gateway's configuration: those that run as its ServiceAccount."""

from __future__ import annotations

from collections.abc import Callable
from time import time

from serai.app.pipeline import Pipeline
from serai.attach.gateways import proxy_key
from serai.kube.access import Access, ApiError
from serai.kube.deployment import name_of
from serai.kube.token_review import TokenReviews
from serai.server.guard import Identity, RefusedError
from serai.xds.wire import Node

AUDIENCE = "serai"
"""Whom the tokens of proxies are meant for."""

ACCOUNT = "serai.dev/proxy-service-account"
"""An annotation of Gateways whose Envoys are deployed by somebody else: the name of their
ServiceAccount, in the Gateway's namespace, or ``namespace/name``."""

_PREFIX = "system:serviceaccount:"


class Admission:
    """A guard of the xDS server."""

    def __init__(self, access: Access, pipeline: Pipeline, now: Callable[[], float] = time) -> None:
        self._reviews = TokenReviews(access, AUDIENCE, now)
        self._pipeline = pipeline
        self._now = now

    async def identify(self, token: str) -> Identity:
        """Whose token it is."""
        if not token:
            raise RefusedError("unproven", "a token of a ServiceAccount is needed, and none came")
        try:
            found = await self._reviews.review(token)
        except ApiError as error:
            why = f"the token cannot be reviewed now: {error}"
            raise RefusedError("unavailable", why) from error
        if not found.user:
            raise RefusedError("unproven", f"the token is not accepted: {found.why}")
        return Identity(found.user, max(1.0, found.expires - self._now()))

    def permit(self, who: Identity, node: Node) -> None:
        """Whether he runs as the ServiceAccount of the Gateway that the node names."""
        key = proxy_key(node.cluster)
        gateway = self._pipeline.inputs.gateways.row(key)
        said = gateway.metadata.annotations.get(ACCOUNT, "") if gateway is not None else ""
        account = said or name_of(key.name)
        owner, _, account = account.rpartition("/")
        if who.name != f"{_PREFIX}{owner or key.namespace}:{account}":
            why = f"{who.name} is not the ServiceAccount of the Gateway {node.cluster}"
            raise RefusedError("forbidden", why)
