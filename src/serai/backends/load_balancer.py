"""Which of its endpoints a cluster picks for a request.  Envoy: load balancing policies."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Literal

from serai.api.bounds import seconds
from serai.api.destination_rule import BackendUtilization, ConsistentHash, TrafficPolicy
from serai.api.destination_rule import LoadBalancer as RuleBalancer
from serai.api.kgateway_backend import BackendConfigPolicySpec, HashPolicy
from serai.api.kgateway_backend import LoadBalancer as ConfigBalancer
from serai.api.kgateway_backend import SlowStart as ConfigSlowStart
from serai.api.syntax import is_header_name
from serai.backends.feature import Draft, Feature, Subject, refused
from serai.ir.cluster import Refusal
from serai.ir.origin import Value
from serai.proto.envoy import ClientSideWeightedRoundRobin, Cluster, RouteAction
from serai.proto.pool import pack

Policy = Literal["LEAST_REQUEST", "ROUND_ROBIN", "RANDOM", "RING_HASH", "MAGLEV", "UTILIZATION"]

UTILIZATION = "envoy.load_balancing_policies.client_side_weighted_round_robin"
_RING = 1024
"""Istio's and Envoy's smallest ring."""
_ALWAYS = "httponly"
"""An attribute of every cookie that Envoy makes; written too, it would be there twice."""


class SlowStart(Value, frozen=True):
    """A new endpoint gets more and more for so many seconds."""

    window: float
    aggression: float | None = None
    min_percent: float | None = None


class HashBy(Value, frozen=True):
    """What of a request decides to which endpoint it goes."""

    kind: Literal["header", "cookie", "query", "source"]
    name: str = ""
    path: str = ""
    ttl: float | None = None
    """Of a cookie that is made where there is none; None: none is made."""
    attributes: tuple[tuple[str, str], ...] = ()
    terminal: bool = False


class Utilization(Value, frozen=True):
    """How what endpoints report of their load (ORCA) becomes weights.  Seconds."""

    stabilization: float | None = None
    expiration: float | None = None
    update: float | None = None
    penalty: float | None = None
    """What each error in a second adds to the utilization, as its part of the requests."""
    metrics: tuple[str, ...] = ()
    """Besides what is reported of the CPU and of the application."""


class LoadBalancer(Value, frozen=True):
    """The policy, and what belongs to it."""

    policy: Policy
    choices: int | None = None
    """How many endpoints LEAST_REQUEST compares."""
    slow_start: SlowStart | None = None
    hash_by: tuple[HashBy, ...] = ()
    min_ring: int | None = None
    max_ring: int | None = None
    table: int | None = None
    """Entries of MAGLEV's table, a prime."""
    utilization: Utilization | None = None


class Updates(Value, frozen=True):
    """What happens when endpoints change."""

    merge_window: float | None = None
    """Seconds in which changes are taken together."""
    close_connections: bool | None = None
    """Whether connections are closed whenever an endpoint comes or goes."""


def _of_config(spec: BackendConfigPolicySpec, _: Subject) -> LoadBalancer | Refusal | None:
    found: ConfigBalancer | None = spec.load_balancer
    if found is None:
        return None
    by = found.ring_hash or found.maglev
    for each in by.hash_policies if by else ():
        part = each.header or each.cookie
        if part is not None and not is_header_name(part.name):
            words = f'hashPolicies: "{part.name}" is no name of a header or a cookie'
            return refused("spec.loadBalancer", "Invalid", words)
    if found.ring_hash:
        ring = found.ring_hash
        return LoadBalancer(
            "RING_HASH",
            hash_by=tuple(map(_hash_by, ring.hash_policies)),
            min_ring=ring.minimum_ring_size,
            max_ring=ring.maximum_ring_size,
        )
    if found.maglev:
        return LoadBalancer("MAGLEV", hash_by=tuple(map(_hash_by, found.maglev.hash_policies)))
    if found.least_request:
        least = found.least_request
        slow = _slow_start(least.slow_start)
        return LoadBalancer("LEAST_REQUEST", choices=least.choice_count, slow_start=slow)
    if found.round_robin:
        return LoadBalancer("ROUND_ROBIN", slow_start=_slow_start(found.round_robin.slow_start))
    return LoadBalancer("RANDOM") if found.random else None


def _slow_start(found: ConfigSlowStart | None) -> SlowStart | None:
    window = seconds(found.window) if found else None
    if found is None or not window:
        return None
    aggression = float(found.aggression) if found.aggression else None
    return SlowStart(window, aggression, found.min_weight_percent)


def _hash_by(policy: HashPolicy) -> HashBy:
    if policy.header:
        return HashBy("header", policy.header.name, terminal=policy.terminal)
    if policy.cookie is None:
        return HashBy("source", terminal=policy.terminal)
    cookie = policy.cookie
    flags = {"Secure": cookie.secure, "HttpOnly": cookie.http_only}
    attributes = [(name, "") for name, given in flags.items() if given]
    if cookie.same_site:
        attributes.append(("SameSite", cookie.same_site))
    return HashBy(
        "cookie",
        cookie.name,
        path=cookie.path or "",
        ttl=seconds(cookie.ttl),
        attributes=tuple(attributes),
        terminal=policy.terminal,
    )


def _of_rule(policy: TrafficPolicy, _: Subject) -> LoadBalancer | None:
    found: RuleBalancer | None = policy.load_balancer
    if found is None:
        return None
    if found.consistent_hash:
        return _consistent(found.consistent_hash)
    slow = _warmup(found)
    if found.backend_utilization:
        return LoadBalancer(
            "UTILIZATION", slow_start=slow, utilization=_utilization(found.backend_utilization)
        )
    match found.simple:
        case "LEAST_REQUEST" | "LEAST_CONN":
            return LoadBalancer("LEAST_REQUEST", slow_start=slow)
        case "ROUND_ROBIN":
            return LoadBalancer("ROUND_ROBIN", slow_start=slow)
        case "RANDOM":
            return LoadBalancer("RANDOM")
        case _:
            return LoadBalancer("LEAST_REQUEST", slow_start=slow) if slow else None


def _utilization(found: BackendUtilization) -> Utilization:
    percent = found.error_utilization_penalty_percent
    return Utilization(
        stabilization=seconds(found.weight_stabilization_period),
        expiration=seconds(found.weight_expiration_period),
        update=seconds(found.weight_update_period),
        penalty=None if percent is None else percent / 100,
        metrics=found.metric_names_for_computing_utilization,
    )


def _warmup(found: RuleBalancer) -> SlowStart | None:
    if found.warmup:
        warmup = found.warmup
        window = seconds(warmup.duration) or 0
        return SlowStart(window, warmup.aggression, warmup.minimum_percent)
    window = seconds(found.warmup_duration_secs) or 0
    return SlowStart(window) if window else None


def _consistent(found: ConsistentHash) -> LoadBalancer:
    if found.http_header_name:
        by = HashBy("header", found.http_header_name)
    elif found.http_cookie:
        cookie = found.http_cookie
        by = HashBy(
            "cookie",
            cookie.name,
            path=cookie.path or "",
            ttl=seconds(cookie.ttl),
            attributes=tuple((each.name, each.value) for each in cookie.attributes),
        )
    elif found.http_query_parameter_name:
        by = HashBy("query", found.http_query_parameter_name)
    else:
        by = HashBy("source")
    if found.maglev:
        return LoadBalancer("MAGLEV", hash_by=(by,), table=found.maglev.table_size)
    ring = found.ring_hash.minimum_ring_size if found.ring_hash else found.minimum_ring_size
    return LoadBalancer("RING_HASH", hash_by=(by,), min_ring=ring or _RING)


def _updates_of_config(spec: BackendConfigPolicySpec, _: Subject) -> Updates | None:
    found = spec.load_balancer
    if found is None:
        return None
    updates = Updates(
        seconds(found.update_merge_window), found.close_connections_on_host_set_change
    )
    return None if updates == Updates() else updates


def _write(found: LoadBalancer, draft: Draft) -> None:
    if draft.message.lb_policy == Cluster.CLUSTER_PROVIDED:
        return
    if found.utilization is not None:
        _write_utilization(found.utilization, found.slow_start, draft)
        return
    draft.message.MergeFrom(Cluster(lb_policy=found.policy, **_configured(found)))
    draft.http.hash_policy.extend(
        RouteAction.HashPolicy(terminal=each.terminal, **_hashed(each)) for each in found.hash_by
    )


def _write_utilization(found: Utilization, slow: SlowStart | None, draft: Draft) -> None:
    """Envoy takes this policy in its new form only, and there without weights of localities."""
    config: dict[str, Any] = _written(slow) if slow else {}
    for name, each in (
        ("blackout_period", found.stabilization),
        ("weight_expiration_period", found.expiration),
        ("weight_update_period", found.update),
    ):
        if each is not None:
            config[name] = timedelta(seconds=each)
    if found.penalty is not None:
        config["error_utilization_penalty"] = {"value": found.penalty}
    config["metric_names_for_computing_utilization"] = found.metrics
    packed = pack(ClientSideWeightedRoundRobin(**config))
    draft.message.common_lb_config.ClearField("locality_weighted_lb_config")
    extension = {"name": UTILIZATION, "typed_config": packed}
    draft.message.load_balancing_policy.policies.add(typed_extension_config=extension)


def _configured(found: LoadBalancer) -> dict[str, Any]:
    slow = _written(found.slow_start) if found.slow_start else {}
    match found.policy:
        case "LEAST_REQUEST":
            choices = {"choice_count": {"value": found.choices}} if found.choices else {}
            return {"least_request_lb_config": {**choices, **slow}}
        case "ROUND_ROBIN":
            return {"round_robin_lb_config": slow} if slow else {}
        case "RING_HASH":
            sizes = {"minimum_ring_size": found.min_ring, "maximum_ring_size": found.max_ring}
            given = {name: {"value": size} for name, size in sizes.items() if size}
            return {"ring_hash_lb_config": given}
        case "MAGLEV":
            table = {"table_size": {"value": found.table}} if found.table else {}
            return {"maglev_lb_config": table}
        case _:
            return {}


def _written(slow: SlowStart) -> dict[str, Any]:
    config: dict[str, Any] = {"slow_start_window": timedelta(seconds=slow.window)}
    if slow.aggression is not None:
        name = "serai.slow_start.aggression"
        config["aggression"] = {"default_value": slow.aggression, "runtime_key": name}
    if slow.min_percent is not None:
        config["min_weight_percent"] = {"value": slow.min_percent}
    return {"slow_start_config": config}


def _hashed(by: HashBy) -> dict[str, Any]:
    match by.kind:
        case "header":
            return {"header": {"header_name": by.name}}
        case "query":
            return {"query_parameter": {"name": by.name}}
        case "source":
            return {"connection_properties": {"source_ip": True}}
        case "cookie":
            cookie: dict[str, Any] = {"name": by.name, "path": by.path}
            if by.ttl is not None:
                cookie["ttl"] = timedelta(seconds=by.ttl)
            cookie["attributes"] = [
                {"name": name, "value": text}
                for name, text in by.attributes
                if name.lower() != _ALWAYS
            ]
            return {"cookie": cookie}


def _write_updates(found: Updates, draft: Draft) -> None:
    common = draft.message.common_lb_config
    if found.merge_window is not None:
        common.update_merge_window.FromTimedelta(timedelta(seconds=found.merge_window))
    if found.close_connections:
        common.close_connections_on_host_set_change = True


LOAD_BALANCER = Feature(
    value=LoadBalancer,
    reads={BackendConfigPolicySpec: _of_config, TrafficPolicy: _of_rule},
    write=_write,
    whole=True,
)
UPDATES = Feature(
    value=Updates, reads={BackendConfigPolicySpec: _updates_of_config}, write=_write_updates
)
