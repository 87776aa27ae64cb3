"""The record that every feature of a policy fills in, and what it deals with."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from enum import IntEnum
from functools import reduce
from typing import Any, Protocol

import msgspec
from google.protobuf.message import Message

from serai.api.bounds import out_of_bounds
from serai.api.core import ConfigMap, Secret
from serai.api.gateway_extension import GatewayExtension
from serai.api.meta import Key
from serai.ir.origin import Value
from serai.ir.route import NO_MUTATIONS, HeaderMutations
from serai.ir.secret import Confidence
from serai.model.issuers import Issuer
from serai.model.settings import Settings


class Stage(IntEnum):
    """Where in the order of filters a feature acts.  The names and the order are kgateway's.

    CORS comes first, so that a preflight is answered whatever else is asked of requests.
    """

    CORS = 0
    FAULT = 1
    CUSTOM = 2
    """Whom else to ask whether a request may pass."""
    AUTHN = 3
    TOKENS = 4
    """Who calls, by what a token says; and by other credentials, after tokens were verified."""
    AUTHZ = 5
    RATE_LIMIT = 6
    ACCEPTED = 7
    """Changes to requests that may pass."""
    ROUTE = 8


class Fault(Value, frozen=True):
    """Why a feature cannot be used: the field below its own, the reason, and a sentence."""

    path: str
    message: str
    reason: str = "Invalid"
    status: int = 0
    """What answers requests until it can be used; 0: as its feature says."""


class BackendReference(Value, frozen=True):
    """What a feature calls while it decides: a backend by the reference that names it."""

    group: str
    kind: str
    name: str
    namespace: str | None
    port: int | None


class Context(Protocol):
    """What a feature may look up while it is compiled.  Every look is remembered."""

    @property
    def policy(self) -> Key:
        """The object that is compiled."""

    @property
    def settings(self) -> Settings:
        """What the operator decided for all objects."""

    def cluster(self, reference: BackendReference, source: Key | None = None) -> str | Fault:
        """The cluster of a backend that is called; it must be permitted to be.

        `source` is the object that names it, where that is not the policy.
        """

    def extension(self, name: str, namespace: str | None = None) -> GatewayExtension | Fault:
        """A GatewayExtension of the policy's namespace, or of another."""

    def secret(
        self, name: str, namespace: str | None = None, source: Key | None = None
    ) -> Secret | Fault:
        """A Secret of the policy's namespace, or of another that grants it.

        `source` is the object that names it, where that is not the policy.
        """

    def secrets(self, labels: Mapping[str, str]) -> tuple[Secret, ...]:
        """The Secrets of the policy's namespace that have all these labels, by name."""

    def issuer(self, uri: str) -> Issuer | None:
        """What an issuer of tokens tells of itself; None until it was asked."""

    def config_map(
        self, name: str, namespace: str | None = None, source: Key | None = None
    ) -> ConfigMap | Fault:
        """A ConfigMap, likewise; `source` is the object that names it, if not the policy."""


class Compiled(Value, frozen=True):
    """What a feature makes of what a user wrote."""

    value: Value
    clusters: tuple[str, ...] = ()
    faults: tuple[Fault, ...] = ()
    """What cannot be done, where the value makes up for it."""
    secrets: tuple[Confidence, ...] = ()
    """What it is told in confidence, beside its configuration."""


class Place(Value, frozen=True, order=True):
    """Where filters act: at a stage, or (below or above 0) before or after what acts there."""

    stage: Stage
    side: int = 0


class Encoded(Value, frozen=True):
    """What a leaf comes to in Envoy's configuration."""

    filters: tuple[tuple[str, Message], ...] = ()
    """HTTP filters that run for the route, by name, in order."""
    place: Place | None = None
    """Where they act; None: at the feature's stage."""
    outer: Message | None = None
    """What its only filter looks up for itself: of a route that sends on, configured further out
    than what the slot runs."""
    also: tuple[Encoded, ...] = ()
    """What else it comes to, such as filters at another place."""
    per_route: tuple[tuple[str, Message], ...] = ()
    """Configuration of filters that are in every connection manager, by their names there."""
    action: Mapping[str, Any] = {}
    """Fields of the RouteAction."""
    route: Mapping[str, Any] = {}
    """Fields of the Route."""
    network: tuple[tuple[str, Message], ...] = ()
    """Network filters that run for a connection in place of all this, where it is not HTTP."""


class Asked(Value, frozen=True):
    """A request, as far as a feature can judge it without sending it.  Names in lower case."""

    method: str
    authority: str
    path: str
    headers: tuple[tuple[str, str], ...]
    principal: str | None
    """The caller's SPIFFE identity; None where there is none, or none can be claimed."""
    http: bool = True
    """Whether it is a request at all, and not a connection with other bytes."""
    source: str = ""
    """The address of the connection's other end; empty where it is not known."""
    remote: str = ""
    """The client's address, as far as the connection or x-forwarded-for tell."""
    destination: str = ""
    """The address that the caller was connecting to, and its port."""
    port: int = 0
    server_name: str = ""
    """Of the TLS connection."""
    claims: Mapping[str, Any] = {}
    """What the caller's token says."""
    keys: Callable[[Any], str] = lambda _: ""
    """The keys that were fetched from somewhere, as a key set; empty where they are not known."""
    at: float | None = None
    """Seconds since the epoch; None: tokens are not looked at for their time."""

    def claim(self, path: tuple[str, ...]) -> tuple[str, ...]:
        """What the caller's token says of one thing: a text, or the texts of a list."""
        found: Any = self.claims
        for name in path:
            found = found.get(name) if isinstance(found, Mapping) else None
        listed = found if isinstance(found, list) else [found]
        return tuple(each for each in listed if isinstance(each, str))

    def header(self, name: str) -> str | None:
        """The values of a header, joined as Envoy joins them; None where it is absent."""
        found = [value for each, value in self.headers if each == name.lower()]
        return ",".join(found) if found else None


class Judgement(Value, frozen=True):
    """What a feature says of a request, in words; with a status, it answers in place of others."""

    words: str
    status: int | None = None
    headers: tuple[tuple[str, str], ...] = ()
    """Of the answer."""
    request: HeaderMutations = NO_MUTATIONS
    """What it changes in the request's headers, before its route does."""
    response: HeaderMutations = NO_MUTATIONS
    """What it changes in the answer's, after its route did."""
    claims: Mapping[str, Any] = {}
    """What a good token says."""
    path: str = ""
    """What the endpoint is asked for in place of the path without its query, where the route says
    nothing of it."""
    query: str | None = None
    """What follows the path then; None leaves it as it is."""


class Feature(Value, frozen=True):
    """One thing that a policy can ask for."""

    name: str
    """As users know it: its field, such as ``rateLimit.local``, or the kind of its policy."""
    stage: Stage
    compile: Callable[[Context, Any], Compiled | Fault]
    """From the spec to a neutral value."""
    encode: Callable[[Any], Encoded]
    """From that value to Envoy's configuration; of an additive feature, from all its values."""
    judge: Callable[[Any, Asked], Judgement]
    """From that value (or those values) and a request to what becomes of it."""
    fails_closed: int = 0
    """The status that answers requests where it cannot be done; 0 where it is then left out."""
    needs_backend: Callable[[Any], str] = lambda _: ""
    """Why a value cannot be done on a route that sends nowhere, such as a redirect; empty if it
    can."""
    additive: bool = False
    """Whether all policies that have it apply together, rather than the most specific one."""
    merge: Callable[[Any, Any], Any] | None = None
    """From two values, the one that comes first first, to one; None where they do not merge."""

    def together(self, values: Sequence[Any]) -> Any:
        """What the values in force come to, as `encode` and `judge` take it."""
        if self.additive:
            return tuple(values)
        return reduce(self.merge, values) if self.merge else values[0]


def outside(written: Any) -> Fault | None:
    """A number that its field cannot have; in a cluster the CRD has refused it before."""
    found = out_of_bounds(written, "") if isinstance(written, msgspec.Struct) else ()
    return next((Fault(each.path, each.message[len(each.path) + 1 :]) for each in found), None)


def runtime_percent(percent: int) -> dict[str, Any]:
    """So many in a hundred requests, as Envoy's RuntimeFractionalPercent."""
    return {"default_value": {"numerator": percent, "denominator": "HUNDRED"}}
