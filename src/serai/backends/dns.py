"""How often names of endpoints are looked up.  kgateway: dns."""

from __future__ import annotations

from datetime import timedelta

from serai.api.bounds import seconds
from serai.api.kgateway_backend import BackendConfigPolicySpec
from serai.backends.feature import Draft, Feature, Subject
from serai.ir.cluster import Discovery
from serai.ir.origin import Value
from serai.proto.envoy import DnsCluster


class Dns(Value, frozen=True):
    """Seconds; what is None is as it is for every cluster that is looked up."""

    refresh: float | None = None
    jitter: float | None = None
    respect_ttl: bool | None = None


def _of_config(spec: BackendConfigPolicySpec, _: Subject) -> Dns | None:
    if spec.dns is None:
        return None
    return Dns(seconds(spec.dns.refresh_rate), seconds(spec.dns.jitter), spec.dns.respect_ttl)


def _write(found: Dns, draft: Draft) -> None:
    if draft.ir.discovery not in {Discovery.DNS, Discovery.LOGICAL_DNS}:
        return
    config = draft.message.cluster_type.typed_config
    cluster = DnsCluster.FromString(config.value)
    if found.refresh is not None:
        cluster.dns_refresh_rate.FromTimedelta(timedelta(seconds=found.refresh))
        # One that is set is meant: the time to live of an answer would come before it.
        cluster.respect_dns_ttl = False
    if found.jitter is not None:
        cluster.dns_jitter.FromTimedelta(timedelta(seconds=found.jitter))
    if found.respect_ttl is not None:
        cluster.respect_dns_ttl = found.respect_ttl
    config.value = cluster.SerializeToString(deterministic=True)


DNS = Feature(value=Dns, reads={BackendConfigPolicySpec: _of_config}, write=_write)
