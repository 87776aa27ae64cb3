"""``POST /api/v1/enter``: where a request would enter, and what would become of it."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from serai.trace import trace
from serai.trace.connection import entrance
from serai.trace.outcome import Trace
from serai.trace.resolve import Unresolved
from serai.trace.view import View
from serai.views.state import State
from serai.views.tracing import TraceQuestion, resolved
from serai.web.answers import answered, refused
from serai.web.instance import Instance
from serai.web.question import question


class WayIn(msgspec.Struct, frozen=True, rename="camel"):
    """Where a request enters, and what is expected to become of it."""

    trace: Trace
    connect: tuple[str, int]
    """The address and port of the proxy that it goes to."""
    access_log: str = ""
    """Path of the access log of the Envoy there; empty if that is not known."""
    authority: str = ""
    """Path of the folder of who signs identities there; empty if that is somebody else."""

    @property
    def gateway(self) -> str:
        """``namespace/name``."""
        proxy = self.trace.request.way.proxy
        return proxy.namespaced_name

    @property
    def service(self) -> str:
        """What was captured, such as ``ServiceEntry infra/partner-api``; empty at a gateway."""
        captured = (step.origin for step in self.trace.steps if step.what == "captured")
        return next((str(origin.key) for origin in captured if origin), "")


def way_in(view: View, asked: TraceQuestion, access_logs: Mapping[str, str]) -> WayIn | Unresolved:
    """Where a request enters, among the proxies that `view` shows; `asked` is of the request.

    `access_logs` has the path of each Gateway's, by ``namespace/name``.
    """
    request = resolved(view, asked)
    if isinstance(request, Unresolved):
        return request
    proxy = view.proxy(request.way.proxy)
    listener = entrance(proxy, request)
    if listener is None:
        return Unresolved("NoListener", f"{proxy.name} does not listen there")
    connect = (listener.addresses[0], listener.port)
    settings = view.attached.settings
    authority = f"{settings.identity_folder}/ca" if settings.identity_by_gateway else ""
    return WayIn(trace(view, request), connect, access_logs.get(proxy.name, ""), authority)


async def entered(instance: Instance, request: Request) -> Response:
    """A Trace with its way in, or 404 with the reason why the URL leads to no proxy."""
    asked = await question(request)
    if isinstance(asked, Response):
        return asked
    found = await instance.read(lambda state: _way_in(state, asked))
    if isinstance(found, Unresolved):
        status = HTTPStatus.NOT_FOUND
        return refused(status, found.message, reason=found.reason, remedy=found.remedy)
    return answered("Trace", msgspec.to_builtins(found))


def _way_in(state: State, asked: TraceQuestion) -> WayIn | Unresolved:
    logs = {envoy.gateway: envoy.access_log for envoy in state.facts.envoys}
    return way_in(View(state.pipeline.attached, state.pipeline.translated), asked, logs)
