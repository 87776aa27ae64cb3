"""Clients at places of their own: when they are answered, and with what."""

from __future__ import annotations

from msgspec.structs import replace

from serai.ir.cluster import Locality
from serai.ir.viewpoint import Viewpoint
from serai.xds.resource import Resource, ResourceKey
from unit.server.streams import NODE, Bench, serving
from unit.xds.speaker import PROXY, C, plain

PLACE = Viewpoint(Locality("eu", "a"))
THERE = {**NODE, "id": "two", "locality": {"region": "eu", "zone": "a"}}


def own(name: str, version: str) -> dict[ResourceKey, Resource | None]:
    """A resource as it is at the place."""
    resource = replace(plain(name), version=version)
    return {resource.key: resource}


async def test_a_new_place_is_answered_once_it_is_worked_out(bench: Bench) -> None:
    told: list[object] = []
    bench.server.locate = lambda node: node.viewpoint
    bench.server.on_places = lambda: told.append(bench.server.places())
    serving(bench, plain("a"), plain("b"))
    here, there = bench.peer(), bench.peer()
    await here.say(C, node=NODE)
    assert {each.version for each in (await here.hear()).resources} == {"1"}
    await there.say(C, node=THERE)
    await there.hears_nothing()
    assert told == [{(PROXY, PLACE)}]

    bench.server.publish({}, {(PROXY, PLACE): own("a", "near")})
    response = await there.hear_at_last()
    assert {each.name: each.version for each in response.resources} == {"a": "near", "b": "1"}
    await here.hears_nothing()


async def test_what_changes_at_a_place_is_sent_there_alone(bench: Bench) -> None:
    bench.server.locate = lambda node: node.viewpoint
    serving(bench, plain("a"))
    bench.server.publish({}, {(PROXY, PLACE): {}})
    here, there = bench.peer(), bench.peer()
    for peer, node in ((here, NODE), (there, THERE)):
        await peer.say(C, node=node)
        response = await peer.hear()
        await peer.say(C, response_nonce=response.nonce)

    bench.server.publish({}, {(PROXY, PLACE): own("a", "near")})
    assert [each.version for each in (await there.hear()).resources] == ["near"]
    await here.hears_nothing()
