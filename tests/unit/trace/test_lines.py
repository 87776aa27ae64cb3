"""A trace as people read it, and as programs do."""

from __future__ import annotations

import msgspec

from casekit.case import CASES, load
from serai.trace import Trace, TraceRequest, lines, resolve, trace


def traced(case: str, url: str, **options: str) -> Trace:
    stage = list(load(CASES / case).stages())[-1]
    request = resolve(stage.view, url, headers=tuple(options.items()))
    assert isinstance(request, TraceRequest), request
    return trace(stage.view, request)


def test_each_step_says_what_was_chosen_and_why_the_others_lost() -> None:
    found = traced("match/precedence-is-the-specs", "http://a.example/v1/items/8")

    assert "\n".join(lines(found)) == (
        """\
GET http://a.example/v1/items/8

 1 captured    240.4.0.1:80 -> waypoint shop/waypoint (without an identity)
               ServiceEntry shop/a has istio.io/use-waypoint=waypoint
 2 listener    proxy_protocol_inbound
               127.0.0.1:15088, [::1]:15088
 3 scope       240.4.0.1:80
               routes http_serviceentry_80_a_shop
 4 host        *
               the most specific for a.example
 5 route       HTTPRoute shop/r rule 7
               regex /v1/items/[0-9]+ matches, 1 other does not
               - not HTTPRoute shop/r rule 8: path /v1/items/8 is not /v1/items/7
               - not HTTPRoute shop/r rule 6: also matches, but a regex comes before a prefix
               - not HTTPRoute shop/r rule 5: also matches, but a regex comes before a prefix
               - not HTTPRoute shop/r rule 0: also matches, but a regex comes before a prefix
 6 cluster     100% istio-se_shop_a_a.example_80
               127.4.0.1:8081

Sent on: 100% to ServiceEntry shop/a, 1 endpoint
  asked for    GET /v1/items/8 of a.example"""
    )


def test_an_answer_of_envoys_own_says_so() -> None:
    missed = traced("routes/on-service-replaces-the-default", "http://cart.shop/")
    moved = traced("filters/redirects", "http://a.example:18084/status")
    empty = traced("default-route/no-endpoints-is-503", "http://cart.shop/")
    closed = traced("default-route/no-endpoints-is-503", "http://cart.shop:90/")

    assert lines(missed)[-1] == "Answer: 404 (no route): no route matches: GET /"
    assert lines(moved)[-1] == "Answer: 301, location: http://b.example:18084/status"
    assert lines(empty)[-1] == "Answer: 503 (no endpoints): it has no endpoints; answered 503"
    assert lines(closed)[-1].startswith("Connection closed (no endpoints)")
    assert not any(each.reaches_a_backend for each in (missed, moved, empty, closed))


def test_headers_and_shares_are_told() -> None:
    text = lines(traced("filters/headers-of-rule-then-of-backend", "http://a.example/"))
    split = lines(
        traced("backends/weights-share-and-an-invalid-share-is-500", "http://a.example/half")
    )

    assert "  header       x-both: backend" in text
    assert "  answer sets x-answer: backend" in text
    assert "Answer: 500 to 50%, meant for no backend" in split


def test_a_trace_is_json() -> None:
    found = traced("match/precedence-is-the-specs", "http://a.example/v1/items/8")

    decoded = msgspec.json.decode(msgspec.json.encode(found))

    assert decoded["outcome"]["outcome"] == "forward"
    assert decoded["outcome"]["shares"][0]["endpoints"][0]["address"] == "127.4.0.1"
    assert decoded["request"]["way"]["way"] == "destination"
    assert decoded["steps"][4]["origin"]["key"] == ["HTTPRoute", "shop", "r"]
    assert msgspec.json.decode(msgspec.json.encode(found), type=Trace) == found
