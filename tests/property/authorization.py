"""AuthorizationPolicies as they are written, and a plain reading of what Istio says they mean.

Nothing here is Serai's: the model reads manifests, one field after the other, and uses no regular
expressions of anybody.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from ipaddress import ip_address, ip_network
from typing import Any, NamedTuple

from hypothesis import strategies as st

Raw = dict[str, Any]

NAMESPACE = "shop"
ALIASES = ("former.example",)
OWN_DOMAINS = ("cluster.local", *ALIASES)
CLIENT = "127.0.0.1"
HTTP_PORT, TCP_PORT = 80, 90
DESTINATION = "10.90.0.1"
"""Any of the services' addresses; policies tell them from other ranges only."""


class Call(NamedTuple):
    """One request, or one connection that is not HTTP."""

    caller: str = ""
    """SPIFFE identity; empty: none."""
    http: bool = True
    method: str = "GET"
    path: str = "/"
    """With its query."""
    host: str = "api.example"
    headers: tuple[tuple[str, str], ...] = ()

    @property
    def port(self) -> int:
        """The service's."""
        return HTTP_PORT if self.http else TCP_PORT

    def header(self, name: str) -> str | None:
        """The value of a header."""
        return dict(self.headers).get(name)

    @property
    def client(self) -> str:
        """Who is behind the last proxy."""
        forwarded = self.header("x-forwarded-for")
        return forwarded.split(",")[-1].strip() if self.http and forwarded else CLIENT


def allowed(policies: list[Raw], call: Call) -> bool:
    """Istio: nothing may match a DENY; and one ALLOW must match where there is any."""
    if any(_matches(each, call) for each in policies if each["action"] == "DENY"):
        return False
    allowing = [each for each in policies if each["action"] == "ALLOW"]
    return not allowing or any(_matches(each, call) for each in allowing)


def _matches(policy: Raw, call: Call) -> bool:
    return any(_rule(rule, policy["action"], call) for rule in policy["rules"])


def _rule(rule: Raw, action: str, call: Call) -> bool:
    if not call.http and action == "ALLOW" and any(key in HTTP_ONLY for key, _, _ in _asks(rule)):
        return False
    sources = [each["source"] for each in rule.get("from", [])]
    operations = [each["operation"] for each in rule.get("to", [])]
    return (
        (not sources or any(_all(each, call) for each in sources))
        and (not operations or any(_all(each, call) for each in operations))
        and all(
            _holds(each["key"], each.get("values"), each.get("notValues"), call)
            for each in rule.get("when", [])
        )
    )


def _asks(rule: Raw) -> Iterator[tuple[str, Any, Any]]:
    for side, inner in (("from", "source"), ("to", "operation")):
        for each in rule.get(side, []):
            yield from _fields(each[inner])
    for each in rule.get("when", []):
        key = each["key"]
        yield (
            "request" if key.startswith("request.") else key,
            each.get("values"),
            each.get("notValues"),
        )


def _fields(part: Raw) -> Iterator[tuple[str, Any, Any]]:
    for name, values in part.items():
        if name.startswith("not"):
            yield name[3].lower() + name[4:], None, values
        else:
            yield name, values, None


def _all(part: Raw, call: Call) -> bool:
    return all(_holds(*each, call) for each in _fields(part))


def _holds(field: str, values: list[str] | None, others: list[str] | None, call: Call) -> bool:
    if not call.http and (field in HTTP_ONLY or field.startswith("request.")):
        return True  # an ALLOW did not come here; others are the wider for it
    found = not values or any(_is(field, each, call) for each in values)
    return found and not (others and any(_is(field, each, call) for each in others))


HTTP_ONLY = frozenset({"requestPrincipals", "hosts", "methods", "paths", "request"})


def _is(field: str, value: str, call: Call) -> bool:
    match field:
        case "principals" | "source.principal":
            return bool(call.caller) and _principal(value, call.caller.removeprefix("spiffe://"))
        case "namespaces" | "source.namespace":
            return bool(call.caller) and _wild(value, call.caller.split("/")[4])
        case "serviceAccounts" | "source.serviceAccount":
            own = value if "/" in value else f"{NAMESPACE}/{value}"
            parts = call.caller.split("/")
            return bool(call.caller) and f"{parts[4]}/{parts[6]}" == own
        case "trustDomains" | "source.trustDomain":
            return bool(call.caller) and _wild(value, call.caller.split("/")[2])
        case "ipBlocks" | "source.ip":
            return ip_address(CLIENT) in ip_network(value)
        case "remoteIpBlocks" | "remote.ip":
            return ip_address(call.client) in ip_network(value)
        case "destination.ip":
            return ip_address(DESTINATION) in ip_network(value)
        case "ports" | "destination.port":
            return str(call.port) == value
        case _:
            return _is_asked(field, value, call)


def _is_asked(field: str, value: str, call: Call) -> bool:
    match field:
        case "hosts":
            return _text(value.lower(), call.host.lower())
        case "methods":
            return _text(value, call.method)
        case "paths":
            return _path(value, call.path.split("?")[0])
        case _ if named := re.fullmatch(r"request\.headers\[(.+)\]", field):
            header = call.header(named[1].lower())
            return header is not None and _text(value, header)
        case _:
            return False  # no token, no TLS, nothing told by other filters


def _text(value: str, text: str) -> bool:
    if value == "*":
        return True
    if value.startswith("*"):
        return text.endswith(value[1:])
    return text.startswith(value[:-1]) if value.endswith("*") else text == value


def _wild(value: str, text: str) -> bool:
    """``*`` anywhere, which here is once."""
    before, star, after = value.partition("*")
    if not star:
        return text == value
    fits = len(text) >= len(before) + len(after)
    return fits and text.startswith(before) and text.endswith(after)


def _principal(value: str, caller: str) -> bool:
    parts = value.split("/")
    whole = len(parts) == 5 and not value.startswith("*")
    if whole and parts[0] in OWN_DOMAINS:
        return any(_text("/".join([each, *parts[1:]]), caller) for each in OWN_DOMAINS)
    return _text(value, caller)


def _path(value: str, path: str) -> bool:
    if "{" not in value:
        return _text(value, path)
    return _elements(value.split("/"), path.split("/"))


def _elements(wanted: list[str], found: list[str]) -> bool:
    if not wanted:
        return not found
    if wanted[0] == "{**}":
        return any(_elements(wanted[1:], found[taken:]) for taken in range(1, len(found) + 1))
    if not found or not (wanted[0] == found[0] or (wanted[0] == "{*}" and found[0])):
        return False
    return _elements(wanted[1:], found[1:])


def _few(*values: str) -> st.SearchStrategy[list[str]]:
    return st.lists(st.sampled_from(values), min_size=1, max_size=2, unique=True)


_PRINCIPALS = _few(
    "*",
    "cluster.local/ns/shop/sa/cart",
    "former.example/ns/shop/sa/cart",
    "other.example/ns/shop/sa/cart",
    "cluster.local/ns/shop/*",
    "other.example/*",
    "*/sa/cart",
    "*/sa/web",
    "*t",
)
_NAMESPACES = _few("shop", "bank", "s*", "*p", "*", "sh.p", "shop-*")
_ACCOUNTS = _few("shop/cart", "cart", "bank/web", "w.b", "web")
_DOMAINS = _few("cluster.local", "other.example", "*.example", "*", "clusterxlocal", "former.*")
_ADDRESSES = _few("127.0.0.0/8", "127.0.0.1", "10.0.0.0/8", "203.0.113.9", "::/0", "0.0.0.0/0")
_METHODS = _few("GET", "PUT", "P*", "*T", "*", "get")
_PATHS = _few(
    "/",
    "/a",
    "/a/*",
    "*/b",
    "*",
    "/a/{*}",
    "/{*}/b",
    "/a/{**}",
    "/{**}/b",
    "/a/{*}/{**}",
    "/a.b",
    "/A*",
)
_HOSTS = _few(
    "api.example", "API.example", "*.example", "api.*", "*", "other.example", "api.exampl"
)
_PORTS = _few("80", "90", "8080")
_VALUES = _few("1", "1*", "*2", "*", "12", "a.c")

FIELDS: dict[str, st.SearchStrategy[list[str]]] = {
    "principals": _PRINCIPALS,
    "requestPrincipals": _few("*", "iss/sub"),
    "namespaces": _NAMESPACES,
    "serviceAccounts": _ACCOUNTS,
    "trustDomains": _DOMAINS,
    "ipBlocks": _ADDRESSES,
    "remoteIpBlocks": _ADDRESSES,
}
OPERATIONS = {"hosts": _HOSTS, "methods": _METHODS, "paths": _PATHS, "ports": _PORTS}
KEYS = {
    "source.principal": _PRINCIPALS,
    "source.namespace": _NAMESPACES,
    "source.serviceAccount": _ACCOUNTS,
    "source.trustDomain": _DOMAINS,
    "source.ip": _ADDRESSES,
    "remote.ip": _ADDRESSES,
    "destination.ip": _few("10.90.0.0/16", "10.91.0.0/16", "::/0"),
    "destination.port": _PORTS,
    "connection.sni": _few("*", "api.example"),
    "request.headers[X-One]": _VALUES,
    "request.headers[x-two]": _VALUES,
    "request.auth.principal": _few("*"),
    "request.auth.claims[group]": _few("x"),
    "experimental.envoy.filters.http.lua[k]": _few("v", "[v]"),
}


_SIDES = (("from",), ("from",), ("to",), ("to",), ("when",), ("from", "to"), ("to", "when"), ())
"""Few ask for much, so that each comparison decides often."""
_ONE_MOSTLY = st.sampled_from((1, 1, 1, 2))


@st.composite
def _parts(draw: st.DrawFn, known: dict[str, st.SearchStrategy[list[str]]]) -> Raw:
    found: Raw = {}
    for _ in range(draw(_ONE_MOSTLY)):
        name = draw(st.sampled_from(sorted(known)))
        negated = f"not{name[0].upper()}{name[1:]}"
        found[name if draw(st.integers(0, 2)) else negated] = draw(known[name])
    return found


@st.composite
def _conditions(draw: st.DrawFn) -> Raw:
    key = draw(st.sampled_from(sorted(KEYS)))
    sides = draw(
        st.sampled_from((("values",), ("values",), ("notValues",), ("values", "notValues")))
    )
    return {"key": key, **{side: draw(KEYS[key]) for side in sides}}


@st.composite
def _rules(draw: st.DrawFn) -> Raw:
    found: Raw = {}
    sides = draw(st.sampled_from(_SIDES))
    if "from" in sides:
        sources = draw(
            _ONE_MOSTLY.flatmap(lambda n: st.lists(_parts(FIELDS), min_size=n, max_size=n))
        )
        found["from"] = [{"source": each} for each in sources]
    if "to" in sides:
        operations = draw(
            _ONE_MOSTLY.flatmap(lambda n: st.lists(_parts(OPERATIONS), min_size=n, max_size=n))
        )
        found["to"] = [{"operation": each} for each in operations]
    if "when" in sides:
        found["when"] = draw(st.lists(_conditions(), min_size=1, max_size=2))
    return found


policy_sets = st.lists(
    st.fixed_dictionaries(
        {
            "action": st.sampled_from(("ALLOW", "DENY")),
            "rules": _ONE_MOSTLY.flatmap(lambda n: st.lists(_rules(), min_size=n - 1, max_size=n)),
        }
    ),
    min_size=1,
    max_size=2,
)
"""Specs of the policies of one service, but for their targets."""

calls = st.builds(
    Call,
    caller=st.sampled_from(
        (
            "",
            "spiffe://cluster.local/ns/shop/sa/cart",
            "spiffe://former.example/ns/shop/sa/cart",
            "spiffe://other.example/ns/shop/sa/cart",
            "spiffe://cluster.local/ns/shop-2/sa/web",
            "spiffe://cluster.local/ns/bank/sa/web",
            "spiffe://clusterxlocal/ns/shxp/sa/wxb",
        )
    ),
    http=st.sampled_from((True, True, True, False)),
    method=st.sampled_from(("GET", "PUT", "POST", "DELETE")),
    path=st.sampled_from(("/", "/a", "/a/", "/a/b", "/a/b?c=/a", "/a/b/b", "/b/b", "/axb", "/A/b")),
    host=st.sampled_from(("api.example", "API.Example", "other.example", "api.example:80", "api")),
    headers=st.dictionaries(
        st.sampled_from(("x-one", "x-two")), st.sampled_from(("1", "12", "2", "abc")), max_size=2
    )
    .flatmap(
        lambda found: st.sampled_from(
            (
                found,
                {**found, "x-forwarded-for": "203.0.113.9"},
                {**found, "x-forwarded-for": "203.0.113.9, 10.1.1.1"},
            )
        )
    )
    .map(lambda found: tuple(sorted(found.items()))),
)


def manifests(number: int, policies: list[Raw]) -> Iterator[Raw]:
    """A service with an HTTP and a TCP port, and its policies."""
    name = f"s{number}"
    yield {
        "apiVersion": "networking.istio.io/v1",
        "kind": "ServiceEntry",
        "metadata": {"name": name, "namespace": NAMESPACE},
        "spec": {
            "hosts": [f"{name}.example"],
            "addresses": [address(number)],
            "ports": [
                {"number": HTTP_PORT, "name": "http", "protocol": "HTTP"},
                {"number": TCP_PORT, "name": "tcp", "protocol": "TCP"},
            ],
            "resolution": "STATIC",
            "endpoints": [{"address": "127.90.1.1", "ports": {"http": 8080, "tcp": 8090}}],
        },
    }
    for position, spec in enumerate(policies):
        target = {"group": "networking.istio.io", "kind": "ServiceEntry", "name": name}
        yield {
            "apiVersion": "security.istio.io/v1",
            "kind": "AuthorizationPolicy",
            "metadata": {"name": f"{name}-{position}", "namespace": NAMESPACE},
            "spec": {"targetRefs": [target], **spec},
        }


def address(number: int) -> str:
    """A service's VIP."""
    return f"10.90.{number // 250}.{number % 250 + 1}"


GROUND: tuple[Raw, ...] = (
    {
        "apiVersion": "v1",
        "kind": "Namespace",
        "metadata": {"name": NAMESPACE, "labels": {"istio.io/use-waypoint": "waypoint"}},
    },
    {
        "apiVersion": "gateway.networking.k8s.io/v1",
        "kind": "Gateway",
        "metadata": {"name": "waypoint", "namespace": NAMESPACE},
        "spec": {"gatewayClassName": "serai-waypoint"},
    },
)
"""A waypoint, and a namespace that uses it."""
