"""The admin API and the console as one application, for any server that speaks ASGI."""

from __future__ import annotations

from functools import partial

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from serai.telemetry.metrics import exposition
from serai.web import api, console
from serai.web.enter import entered
from serai.web.events import events
from serai.web.guard import Guard
from serai.web.instance import Instance


def admin_app(instance: Instance, *, hosts: frozenset[str] = frozenset()) -> ASGIApp:
    """Everything under the admin address.

    Read-only.  `hosts` are names that may be asked for beside loopback addresses and localhost.
    """
    routes = [
        Route("/", partial(console.page, instance)),
        Route("/console.{suffix:str}", console.static),
        Route("/healthz", _alive),
        Route("/readyz", partial(_ready, instance)),
        Route("/metrics", partial(_metrics, instance)),
        Route("/api/v1/events", partial(events, instance)),
        Route("/api/v1/explain", partial(api.explained, instance)),
        Route("/api/v1/trace", partial(api.trace, instance), methods=["POST"]),
        Route("/api/v1/enter", partial(entered, instance), methods=["POST"]),
        Route("/api/v1/translate", partial(api.translated, instance)),
        Route("/api/v1/{kind:str}", partial(api.listed, instance)),
    ]
    return Starlette(routes=routes, middleware=[Middleware(Guard, hosts)])


def probes_app(instance: Instance) -> ASGIApp:
    """What a cluster may ask for from anywhere: whether it lives, is ready, and its metrics."""
    return Starlette(
        routes=[
            Route("/healthz", _alive),
            Route("/readyz", partial(_ready, instance)),
            Route("/metrics", partial(_metrics, instance)),
        ]
    )


async def _alive(_: Request) -> Response:
    return PlainTextResponse("ok\n")


async def _ready(instance: Instance, _: Request) -> Response:
    waiting = instance.waiting_for()
    if waiting:
        return PlainTextResponse(f"waiting for {waiting}\n", 503)
    # Ready all the same: whoever is connected keeps what it has, and a kind that appears is read.
    lacks = instance.lacks()
    return PlainTextResponse(f"ready, but {lacks}\n" if lacks else "ready\n")


async def _metrics(instance: Instance, _: Request) -> Response:
    text, media_type = await instance.read(exposition)
    return Response(text, media_type=media_type)
