"""Asks a running instance over its admin API."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from typing import Any, TypeVar

import httpx2
import msgspec

from serai.views.explain import Explained
from serai.views.listing import Listing
from serai.views.tracing import Traced, TraceQuestion
from serai.web.enter import WayIn
from serai.web.errors import RefusedError, UnreachableError

_Form = TypeVar("_Form")

SECONDS = 30.0
"""For an answer; a large world takes a while to list."""


class AdminClient:
    """A running instance, by the ``host:port`` of its admin address.

    No authorities are loaded, which would take longer than all else: it speaks no TLS.
    """

    def __init__(self, address: str, *, transport: httpx2.BaseTransport | None = None) -> None:
        """`transport` stands for the network."""
        self._address = address
        self._url = f"http://{address}"
        self._transport = transport

    @property
    def note(self) -> str:
        """Nothing: a running instance says what it has to say itself."""
        return ""

    def rows(self, listing: Listing) -> list[Any]:
        """Everything that a listing lists."""
        plain = self._get(f"/api/v1/{listing.name}", {})
        return [self._read(item, listing.row) for item in plain["items"]]

    def explain(self, what: str, namespace: str) -> Explained:
        """Everything that applies to something."""
        plain = self._get("/api/v1/explain", {"what": what, "namespace": namespace})
        return self._read(plain, Explained)

    def trace(self, question: TraceQuestion) -> Traced:
        """What would become of a request."""
        return self._read(self._post("/api/v1/trace", question), Traced)

    def way_in(self, question: TraceQuestion) -> WayIn:
        """Where a request would enter, and what would become of it."""
        return self._read(self._post("/api/v1/enter", question), WayIn)

    async def changes(self) -> AsyncIterator[None]:
        """Goes on each time that the answers may have become others."""
        connected = False
        try:
            async with (
                httpx2.AsyncClient(trust_env=False, verify=False, timeout=SECONDS) as client,
                client.stream("GET", f"{self._url}/api/v1/events") as response,
            ):
                connected = True
                async for line in response.aiter_lines():
                    if line.startswith("data:"):
                        yield
        except httpx2.TransportError as error:
            if not connected:
                raise self._unreachable(error) from error
        raise UnreachableError(f"the instance at {self._address} has ended")

    def _read(self, plain: Any, form: type[_Form]) -> _Form:
        try:
            return msgspec.convert(plain, form)
        except msgspec.ValidationError as error:
            raise RefusedError(
                f"the instance at {self._address} answers as another version of Serai does"
                f" ({error}).\nAsk it with the `serai` that it runs, or start it again."
            ) from error

    def _get(self, path: str, parameters: Mapping[str, str]) -> dict[str, Any]:
        return self._ask("GET", path, params=parameters)

    def _post(self, path: str, question: TraceQuestion) -> dict[str, Any]:
        return self._ask("POST", path, json=msgspec.to_builtins(question))

    def _ask(self, method: str, path: str, **content: Any) -> dict[str, Any]:
        try:
            with httpx2.Client(
                transport=self._transport, trust_env=False, verify=False, timeout=SECONDS
            ) as client:
                response = client.request(method, self._url + path, **content)
        except (httpx2.TransportError, httpx2.InvalidURL) as error:
            raise self._unreachable(error) from error
        return self._checked(response)

    def _checked(self, response: httpx2.Response) -> dict[str, Any]:
        try:
            plain = response.json()
        except ValueError:
            plain = None
        if not isinstance(plain, dict) or "apiVersion" not in plain:
            said = response.text.strip().partition("\n")[0][:200]
            raise UnreachableError(
                f"what listens at {self._address} is not Serai: it answers"
                f" {response.status_code} {said}".rstrip()
            )
        if plain.get("kind") == "Error":
            words = (plain["message"], plain.get("remedy", ""))
            raise RefusedError("\n".join(each for each in words if each))
        return plain

    def _unreachable(self, error: Exception) -> UnreachableError:
        words = str(error) or type(error).__name__
        return UnreachableError(
            f"no instance answers at {self._address} ({words}).\n"
            "Start one with `serai run PATH`, name another with --admin, or read files with -f PATH"
        )
