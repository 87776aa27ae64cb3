"""What is measured, at which sizes and how often."""

from __future__ import annotations

from typing import NamedTuple

SIZES = (100, 1_000, 10_000, 50_000)


class Runs(NamedTuple):
    """How often things are done, and for how long."""

    sizes: tuple[int, ...]
    starts: dict[int, int]
    """By size: cold starts in processes of their own, beside that of the stage."""
    changes: int
    """Of each kind, of which a latency is taken."""
    naive_seconds: float
    """After which no more changes of a kind are made to the peers' shape, of which each takes
    seconds at 10,000 services."""
    naive_up_to: int
    """The largest size of the peers' shape."""
    cpu: int
    """Changes of each kind, of which the CPU time is taken."""
    grown: int
    """Changes after which memory is looked at again."""
    storms: int
    storm: int
    """Changes in one."""
    churn_seconds: float
    churn_rate: int
    """Changes a second."""
    streams: int
    rounds: int
    """Changes that all streams get."""
    routes: int
    """That are added one after the other."""
    requests: float
    """A second, while something is measured."""


FULL = Runs(
    sizes=SIZES,
    starts={100: 2, 1_000: 2},
    changes=120,
    naive_seconds=6.0,
    naive_up_to=10_000,
    cpu=100,
    grown=1_000,
    storms=7,
    storm=1_000,
    churn_seconds=60.0,
    churn_rate=1_000,
    streams=500,
    rounds=20,
    routes=3_000,
    requests=200.0,
)
QUICK = FULL._replace(
    sizes=(100, 1_000),
    starts={},
    changes=12,
    naive_seconds=1.0,
    cpu=20,
    grown=100,
    storms=3,
    storm=100,
    churn_seconds=4.0,
    streams=100,
    rounds=5,
    routes=50,
)
TINY = QUICK._replace(
    sizes=(50,),
    changes=2,
    naive_seconds=0.1,
    cpu=3,
    grown=10,
    storms=1,
    storm=20,
    churn_seconds=0.5,
    churn_rate=100,
    streams=5,
    rounds=2,
    routes=3,
    requests=50.0,
)
RUNS = {"full": FULL, "quick": QUICK, "tiny": TINY}


class Measurement(NamedTuple):
    """One module of the suite."""

    name: str
    staged: bool = True
    """Whether it is made on a stage, or starts everything itself as ``python -m bench.NAME``."""
    loaded: bool = True
    """Whether requests go through the waypoint meanwhile."""
    sizes: tuple[int, ...] = ()
    """Where not all."""

    @property
    def module(self) -> str:
        """Where it is."""
        return f"bench.{self.name}"


MEASUREMENTS = (
    # On a stage, in this order: first what must not be disturbed by what is compared with.
    Measurement("cpu", loaded=False),
    Measurement("memory", loaded=False),
    Measurement("cold_start", loaded=False),
    Measurement("one_change"),
    Measurement("storm"),
    Measurement("churn"),
    Measurement("streams"),
    # By themselves.
    Measurement("from_files", staged=False),
    Measurement("route_probe", staged=False, sizes=(0,)),
    Measurement("peers.sovereign", staged=False),
)


def measurement(name: str) -> Measurement:
    """The measurement of that name."""
    return next(each for each in MEASUREMENTS if each.name == name)
