"""Laws of allocation: never twice, what is written wins, the oldest keeps, and what is stays."""

from __future__ import annotations

from ipaddress import ip_address, ip_network
from random import Random

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from serai.api.meta import Key
from serai.model.service import Address
from serai.model.vips import Allocator, Claim, History, Vips

LAW = settings(deadline=None, suppress_health_check=list(HealthCheck))
RANGES = ("240.0.0.0/29", "fd00::/125")
TEXTS = (*(f"240.0.0.{number}" for number in range(1, 9)), "fd00::1", "fd00::2", "10.0.0.1")
HOSTS = ("a.example", "b.example")
keys = st.builds(
    Key, st.just("ServiceEntry"), st.sampled_from(["blue", "red"]), st.sampled_from("abc")
)
Claims = dict[Key, Claim | None]
Rows = dict[Key, Vips]


@st.composite
def claims(draw: st.DrawFn, key: Key) -> Claim | None:
    if draw(st.integers(0, 5)) == 0:
        return None
    hosts = draw(st.lists(st.sampled_from(HOSTS), max_size=2, unique=True))
    given = st.builds(Address, st.sampled_from(TEXTS), st.sampled_from(("", *HOSTS)))
    written = st.sampled_from([*TEXTS, "240.0.0.4/31", "240.0.0.0/24"])
    return Claim(
        key=key,
        created=draw(st.sampled_from(["", "2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z"])),
        hosts=tuple(hosts),
        given=tuple(draw(st.lists(given, max_size=2))),
        written=() if hosts else tuple(draw(st.lists(written, max_size=2))),
    )


batches = st.lists(keys, min_size=1, max_size=4, unique=True).flatmap(
    lambda chosen: st.fixed_dictionaries({key: claims(key) for key in chosen})
)


class World:
    """An allocator, and all that it was told and that it said."""

    def __init__(self, history: History | None = None) -> None:
        self.allocator = Allocator(RANGES, history)
        self.claims: dict[Key, Claim] = {}
        self.rows: Rows = {}

    def update(self, changes: Claims) -> None:
        for key, claim in changes.items():
            self.claims.pop(key, None)
            if claim is not None:
                self.claims[key] = claim
        for key, row in self.allocator.update(changes).items():
            self.rows.pop(key, None)
            if row is not None:
                self.rows[key] = row

    def held(self) -> list[tuple[str, Key]]:
        return [(each.cidr, key) for key, row in self.rows.items() for each in row.addresses]

    def history(self) -> History:
        held = {key: row.addresses for key, row in self.rows.items()}
        return History(held, self.allocator.last())


def _written(world: World, address: str) -> bool:
    """Whether a user wrote it, or a range of our ranges that has it."""
    written = (ip_network(each) for claim in world.claims.values() for each in claim.written)
    return any(
        ip_address(address) in each
        for each in written
        if each.num_addresses == 1 or str(each) == "240.0.0.4/31"
    )


@LAW
@given(st.lists(batches, min_size=1, max_size=8))
def test_nothing_is_handed_out_twice_and_what_is_written_never(changes: list[Claims]) -> None:
    world = World()
    for batch in changes:
        world.update(batch)
        held = world.held()
        assert len({address for address, _ in held}) == len(held), held
        assert not [address for address, _ in held if _written(world, address)]
        assert world.rows.keys() == {key for key, each in world.claims.items() if each.hosts}


@LAW
@given(st.lists(batches, min_size=1, max_size=8))
def test_each_host_has_one_of_each_range_or_none_is_left(changes: list[Claims]) -> None:
    world = World()
    for batch in changes:
        world.update(batch)
    claimed = {address for address, _ in world.held()}
    claimed |= {each.cidr for claim in world.claims.values() if claim.hosts for each in claim.given}
    usable = [str(each) for cidr in RANGES for each in list(ip_network(cidr))[1:]]
    free = [each for each in usable if each not in claimed and not _written(world, each)]
    for key, row in world.rows.items():
        for host in world.claims[key].hosts:
            own = [each.cidr for each in row.addresses if each.host in {"", host}]
            lacking = [cidr for name, cidr in row.lacking if name == host]
            assert own or lacking
            assert not [each for each in free for cidr in lacking if _within(each, cidr)]
            given = [each for each in world.claims[key].given if each.host in {"", host}]
            if not given:
                assert len(own) + len(lacking) == len(RANGES)


def _within(address: str, cidr: str) -> bool:
    return ip_address(address) in ip_network(cidr)


@LAW
@given(st.lists(batches, min_size=1, max_size=8))
def test_of_several_that_were_given_one_address_the_oldest_keeps_it(changes: list[Claims]) -> None:
    world = World()
    for batch in changes:
        world.update(batch)
    for address, holder in world.held():
        rivals = [
            claim
            for claim in world.claims.values()
            if address in [each.cidr for each in claim.given if each.host in {"", *claim.hosts}]
            and claim.hosts
        ]
        assert all(world.claims[holder].order <= rival.order for rival in rivals)


@LAW
@given(st.lists(batches, min_size=1, max_size=6), st.randoms())
def test_the_order_of_objects_does_not_matter(changes: list[Claims], seed: Random) -> None:
    one, other = World(), World()
    for batch in changes:
        one.update(batch)
        shuffled = list(batch.items())
        seed.shuffle(shuffled)
        other.update(dict(shuffled))
        assert one.rows == other.rows
        assert one.allocator.last() == other.allocator.last()


@LAW
@given(st.lists(batches, min_size=1, max_size=6), batches, st.randoms())
def test_a_restart_changes_nothing(changes: list[Claims], later: Claims, seed: Random) -> None:
    world = World()
    for batch in changes:
        world.update(batch)
    again = World(world.history())
    everything = list(world.claims.items())
    seed.shuffle(everything)
    again.update(dict(everything))
    assert again.rows == world.rows
    world.update(later)
    again.update(later)
    assert again.rows == world.rows


@LAW
@given(st.lists(batches, min_size=1, max_size=6), batches)
def test_what_nobody_else_claims_stays(changes: list[Claims], later: Claims) -> None:
    world = World()
    for batch in changes:
        world.update(batch)
    before = {key: row.addresses for key, row in world.rows.items()}
    world.update(later)
    claimed = {
        text
        for claim in later.values()
        if claim is not None
        for text in (*claim.written, *(each.cidr for each in claim.given))
    }
    for key, addresses in before.items():
        # What a rival gives up may come back to whom it was given, so those are left aside.
        if key in later or world.claims[key].given or "240.0.0.4/31" in claimed:
            continue
        kept = {each for each in addresses if each.cidr not in claimed}
        assert kept <= set(world.rows[key].addresses)
