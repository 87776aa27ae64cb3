"""Routes: what happens to the requests that reach one port."""

from __future__ import annotations

from serai.api.meta import Key
from serai.ir.format import Format
from serai.ir.leaf import Leaf
from serai.ir.match import RequestMatch
from serai.ir.origin import Origin, Value


class HeaderMutations(Value, frozen=True):
    """Changes to headers, done in this order: remove, set, add."""

    set: tuple[tuple[str, str], ...] = ()
    add: tuple[tuple[str, str], ...] = ()
    remove: tuple[str, ...] = ()
    secret: tuple[str, ...] = ()
    """Names of headers whose values no person is shown."""

    def then(self, later: HeaderMutations) -> HeaderMutations:
        """These changes and later ones, as one."""
        gone = {name.lower() for name in (*later.remove, *(name for name, _ in later.set))}
        return HeaderMutations(
            set=(*(pair for pair in self.set if pair[0].lower() not in gone), *later.set),
            add=(*(pair for pair in self.add if pair[0].lower() not in gone), *later.add),
            remove=tuple(dict.fromkeys([*self.remove, *later.remove])),
            secret=tuple(dict.fromkeys([*self.secret, *later.secret])),
        )


NO_MUTATIONS = HeaderMutations()


class LookUp(Value, frozen=True):
    """Look up the host that is asked for, if the pattern covers it, and send to this port."""

    hosts: str
    port: int


class Destination(Value, frozen=True):
    """The service behind a cluster, to which policies may apply."""

    service: Key
    host: str
    sections: tuple[str, ...]
    """The names that the port goes by."""
    port: int = 0
    subset: str = ""


class PathRewrite(Value, frozen=True):
    """A new path: the whole of it, or (when `prefix`) in place of the prefix that matched."""

    value: str
    prefix: bool


class Redirect(Value, frozen=True):
    """Answer with a Location; what is None stays as in the request."""

    status: int = 302
    scheme: str | None = None
    host: str | None = None
    port: int | None = None
    path: PathRewrite | None = None


class Mirror(Value, frozen=True):
    """Send a copy to a cluster too, and forget its answer: of `numerator` in `denominator`."""

    cluster: str
    numerator: int = 100
    denominator: int = 100


class Session(Value, frozen=True):
    """Keep each client at one endpoint.

    A cookie, or (when `header`) a header, carries the endpoint.
    """

    name: str
    header: bool = False
    path: str = "/"
    lifetime_seconds: float | None = None
    """Of a cookie; None: until the client's session ends."""


class WeightedCluster(Value, frozen=True):
    """A share of a route's requests.  No cluster: the share is answered with `status`."""

    cluster: str | None
    weight: int = 1
    status: int = 500
    request_headers: HeaderMutations = NO_MUTATIONS
    response_headers: HeaderMutations = NO_MUTATIONS
    look_up: LookUp | None = None
    """Of a DYNAMIC_DNS cluster."""
    destination: Destination | None = None
    leaves: tuple[Leaf, ...] = ()
    """In force for this share, where shares differ; in place of the route's."""
    rewrite_host: str | None = None
    """In place of the route's; so with `rewrite_path`."""
    rewrite_path: PathRewrite | None = None
    redirect: Redirect | None = None
    """Told to its share, which is sent nowhere."""
    mirrors: tuple[Mirror, ...] = ()
    """Beside the route's."""
    session: Session | None = None
    """Of the service behind it; the route's own comes first."""

    @property
    def needs_a_route(self) -> bool:
        """Whether Envoy can do what its share asks for only in a route of its own."""
        asked = (self.rewrite_host, self.rewrite_path, self.redirect)
        return any(each is not None for each in asked) or bool(self.mirrors)


class Retry(Value, frozen=True):
    """Ask again where there was no answer, or one with any of these statuses."""

    codes: tuple[int, ...]
    attempts: int | None = None
    """At most this often, after the first; None leaves it to Envoy: once."""
    backoff_seconds: float | None = None


class Forward(Value, frozen=True):
    """Send the request on, to one of the clusters by weight."""

    clusters: tuple[WeightedCluster, ...]
    request_timeout_seconds: float | None = None
    """0 disables; None leaves it to the default of the Gateway API: no timeout."""
    backend_timeout_seconds: float | None = None
    rewrite_host: str | None = None
    rewrite_path: PathRewrite | None = None
    retry: Retry | None = None
    mirrors: tuple[Mirror, ...] = ()
    session: Session | None = None


class DirectResponse(Value, frozen=True):
    """Answer without asking anybody."""

    status: int
    body: str = ""
    body_format: Format | None = None
    """In place of the body."""


Action = Forward | Redirect | DirectResponse


class Route(Value, frozen=True):
    """One match and what is done with what it matches."""

    name: str
    match: RequestMatch
    action: Action
    origin: Origin
    request_headers: HeaderMutations = NO_MUTATIONS
    response_headers: HeaderMutations = NO_MUTATIONS
    leaves: tuple[Leaf, ...] = ()
    """In force for it, whatever its virtual host has."""


class VirtualHost(Value, frozen=True):
    """Routes of some host names, most specific first.  Domains: `*`, exact, or `*.suffix`."""

    name: str
    domains: tuple[str, ...]
    routes: tuple[Route, ...]
    leaves: tuple[Leaf, ...] = ()
    """What applies to all of its routes that nothing more specific is said of."""
    by_claims: bool = False
    """Whether some of its routes are chosen by what tokens claim."""


class RouteConfiguration(Value, frozen=True):
    """Everything that is routed on one port of one service or gateway."""

    name: str
    virtual_hosts: tuple[VirtualHost, ...]
    origin: Origin
    attached: tuple[Key, ...] = ()
    """The objects attached to it; one whose rules all fail has its part in what is missing."""
    parts: tuple[str, ...] = ()
    """Where it is divided, the route configurations that have its hosts, by number
    (serai.translate.division); it has none itself."""

    @property
    def origins(self) -> tuple[Origin, ...]:
        """Every object that had a part in it, its own first, each once."""
        routes = [r for host in self.virtual_hosts for r in host.routes]
        parts = [r.origin for r in routes]
        parts += [leaf.origin for r in routes for leaf in r.leaves]
        named = {each.key for each in parts}
        silent = [Origin(key) for key in self.attached if key not in named]
        return tuple(dict.fromkeys([self.origin, *parts, *silent]))


class Scope(Value, frozen=True):
    """Ties what requests are given to find their routes by to a route configuration."""

    name: str
    key: str
    """At a waypoint a destination, VIP and port; at a gateway the name of its routes."""
    routes: str
    origin: Origin
