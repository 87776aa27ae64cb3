"""Events for people: what happened to an object, once, however often it happens.

events.k8s.io/v1.  What cannot be told is dropped: nothing ever waits for it.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from datetime import UTC, datetime
from time import monotonic
from typing import Any, Literal

import msgspec
import structlog

from serai.kube.access import FIELD_MANAGER, MERGE_PATCH, Access, ApiError
from serai.kube.resource import Resource
from serai.kube.wire import Name

log = structlog.get_logger(__name__)

EVENTS = Resource("events.k8s.io", "v1", "events", "Event")

NOTE_LENGTH = 1024
"""Characters that an API server takes."""

SERIES_SECONDS = 300.0
"""What is told again within this time is one more of the same; after it, told anew."""

REPEAT_SECONDS = 30.0
"""How often at most it is written that it happened again."""

WRITES_PER_SECOND = 5.0
MOST_WAITING = 200
MOST_REMEMBERED = 2000

CLUSTER_NAMESPACE = "default"
"""Where Events on what has no namespace are."""

NOT_FOUND = 404

Json = dict[str, Any]


class About(msgspec.Struct, frozen=True):
    """The object that an Event is on."""

    api_version: str
    kind: str
    namespace: str
    name: str
    uid: str = ""


class Happened(msgspec.Struct, frozen=True):
    """Something that a person must know."""

    about: About
    reason: str
    """In one word, for machines and tables."""
    action: str
    """What we did, or tried to."""
    note: str
    type: Literal["Normal", "Warning"] = "Normal"


class _Series:
    """One Event that was written, and how often it happened since."""

    def __init__(self, name: Name, now: float) -> None:
        self.name = name
        self.count = 1
        self.last = now
        self.written = now


class Events:
    """Writes Events one after the other, at a limited rate."""

    def __init__(self, access: Access, instance: str) -> None:
        """`instance` is who we are among several replicas."""
        self.repeat_seconds = REPEAT_SECONDS
        self._access = access
        self._instance = instance
        self._waiting: OrderedDict[Happened, int] = OrderedDict()
        """How often each happened since it was last looked at."""
        self._told: OrderedDict[Happened, _Series] = OrderedDict()
        self._news = asyncio.Event()

    def tell(self, happened: Happened) -> None:
        """Have it told; never waits."""
        self._waiting[happened] = self._waiting.get(happened, 0) + 1
        if len(self._waiting) > MOST_WAITING:
            self._waiting.popitem(last=False)
        self._news.set()

    async def run(self) -> None:
        """Write until cancelled."""
        while True:
            await self._news.wait()
            while self._waiting:
                happened, times = self._waiting.popitem(last=False)
                try:
                    written = await self._write(happened, times)
                except ApiError as error:
                    log.info("event.not_written", reason=happened.reason, error=str(error))
                    written = True
                if written:
                    await asyncio.sleep(1.0 / WRITES_PER_SECOND)
            self._news.clear()

    async def _write(self, happened: Happened, times: int) -> bool:
        """Whether anything was asked of the API server."""
        now = monotonic()
        series = self._told.get(happened)
        if series is None or now - series.last > SERIES_SECONDS:
            body = self._body(happened)
            answer = await self._access.create(EVENTS, body["metadata"]["namespace"], body)
            name = Name(answer["metadata"]["namespace"], answer["metadata"]["name"])
            self._told[happened] = series = _Series(name, now)
            times -= 1
            if len(self._told) > MOST_REMEMBERED:
                self._told.popitem(last=False)
        series.count += times
        series.last = now
        self._told.move_to_end(happened)
        if not times or now - series.written < self.repeat_seconds:
            return series.written == now
        series.written = now
        repeated = {"series": {"count": series.count, "lastObservedTime": _micro()}}
        try:
            await self._access.patch(EVENTS, series.name, repeated, MERGE_PATCH)
        except ApiError as error:
            if error.status != NOT_FOUND:
                raise
            # An API server forgets Events after an hour, mostly.
            del self._told[happened]
            return await self._write(happened, times)
        return True

    def _body(self, happened: Happened) -> Json:
        about = happened.about
        regarding = {
            "apiVersion": about.api_version,
            "kind": about.kind,
            "namespace": about.namespace,
            "name": about.name,
            "uid": about.uid,
        }
        return {
            "metadata": {
                "generateName": f"{about.name[:200]}-",
                "namespace": about.namespace or CLUSTER_NAMESPACE,
            },
            "eventTime": _micro(),
            "reportingController": FIELD_MANAGER,
            "reportingInstance": self._instance[:128],
            "action": happened.action,
            "reason": happened.reason,
            "type": happened.type,
            "note": happened.note[:NOTE_LENGTH],
            "regarding": {name: value for name, value in regarding.items() if value},
        }


def _micro() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
