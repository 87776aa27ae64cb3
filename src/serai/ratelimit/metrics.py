"""What the rate limit service tells Prometheus."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest

from serai.ratelimit.counters import Counted
from serai.ratelimit.rules import Limit

BUCKETS = (0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.5, 1.0)


class Metrics:
    """Counts of one service, by the limits that were written and never by what clients send."""

    def __init__(self) -> None:
        self._registry = registry = CollectorRegistry()
        ProcessCollector(registry=registry)
        self._hits = Counter(
            "serai_ratelimit_hits",
            "Hits by the limit that they count for and what became of them; unlimited: none.",
            ("domain", "limit", "result"),
            registry=registry,
        )
        self.malformed = Counter(
            "serai_ratelimit_malformed",
            "Questions without a domain or without descriptors.",
            registry=registry,
        )
        self.unavailable = Counter(
            "serai_ratelimit_unavailable",
            "Questions that were not answered, since nothing could be counted.",
            registry=registry,
        )
        self.seconds = Histogram(
            "serai_ratelimit_seconds",
            "How long counting took, for all of a question's descriptors.",
            buckets=BUCKETS,
            registry=registry,
        )
        self._domains = Gauge("serai_ratelimit_domains", "Domains with limits.", registry=registry)
        self._reloads = Counter(
            "serai_ratelimit_reloads",
            "Times the limits were read, and whether they could be used.",
            ("result",),
            registry=registry,
        )

    def count(self, domain: str, limit: Limit | None, counted: Counted | None, cost: int) -> None:
        """A descriptor that was answered; one without a limit is under no name of its own."""
        if limit is None:
            self._hits.labels("", "", "no_limit").inc(cost)
            return
        result = "unlimited" if counted is None else "over_limit" if counted.over else "ok"
        if result == "over_limit" and limit.shadow:
            result = "shadow"
        self._hits.labels(domain, limit.path, result).inc(cost)

    def loaded(self, domains: int) -> None:
        """New limits are in force."""
        self._reloads.labels("ok").inc()
        self._domains.set(domains)

    def refused(self) -> None:
        """New limits could not be used."""
        self._reloads.labels("error").inc()

    def exposition(self) -> tuple[bytes, str]:
        """All of it as Prometheus reads it, and the type of that text."""
        return generate_latest(self._registry), CONTENT_TYPE_LATEST
