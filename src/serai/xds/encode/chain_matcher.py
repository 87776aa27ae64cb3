"""Which connection goes to which filter chain, as a matcher tree."""

from __future__ import annotations

from typing import Any

from serai.attach.hostnames import ANY
from serai.ir.listener import ChainMatch, SniMatch
from serai.model.addresses import with_port
from serai.proto.envoy import (
    DestinationIPInput,
    DestinationPortInput,
    FilterStateInput,
    IPMatcher,
    ServerNameInput,
    ServerNameMatcher,
    StringValue,
)
from serai.xds.encode.body import extension
from serai.xds.encode.identity import CONNECT_AUTHORITY


def chain_matcher(matches: tuple[ChainMatch, ...]) -> dict[str, Any]:
    """A map of ports, each with a trie of address ranges of which the longest wins.

    Before it a map of what tunnels were asked for by name, if any can be.
    """
    ports: dict[int, list[ChainMatch]] = {}
    by_name = {}
    for match in sorted(matches, key=lambda each: (each.cidr, each.port)):
        if match.by_name:
            by_name[with_port(match.cidr, match.port)] = {"action": _chain(match.chain)}
        else:
            ports.setdefault(match.port, []).append(match)
    any_port = _by_address(ports.pop(0)) if 0 in ports else {}
    by_address = _by_port(ports) if ports else any_port
    if ports and any_port:
        by_address = {**by_address, "on_no_match": {"matcher": any_port}}
    if not by_name:
        return by_address
    asked = extension("asked", FilterStateInput(key=CONNECT_AUTHORITY))
    tree = {"matcher_tree": {"input": asked, "exact_match_map": {"map": by_name}}}
    return {**tree, "on_no_match": {"matcher": by_address}} if by_address else tree


def _by_port(ports: dict[int, list[ChainMatch]]) -> dict[str, Any]:
    by_port = {str(port): {"matcher": _by_address(ports[port])} for port in sorted(ports)}
    return {
        "matcher_tree": {
            "input": extension("port", DestinationPortInput()),
            "exact_match_map": {"map": by_port},
        }
    }


def sni_matcher(matches: tuple[SniMatch, ...]) -> dict[str, Any]:
    """A trie of host names of which the most specific wins; `*` takes all others."""
    named = [each for each in matches if each.host != ANY]
    rest = next((each for each in matches if each.host == ANY), None)
    otherwise = {"on_no_match": {"action": _chain(rest.chain)}} if rest else {}
    if not named:
        return otherwise
    domains = [
        {"domains": [each.host], "on_match": {"action": _chain(each.chain)}} for each in named
    ]
    tree = {
        "input": extension("sni", ServerNameInput()),
        "custom_match": extension("hosts", ServerNameMatcher(domain_matchers=domains)),
    }
    return {"matcher_tree": tree, **otherwise}


def _by_address(matches: list[ChainMatch]) -> dict[str, Any]:
    ranges = [
        {"ranges": [_range(match.cidr)], "on_match": {"action": _chain(match.chain)}}
        for match in sorted(matches, key=lambda each: each.cidr)
    ]
    return {
        "matcher_tree": {
            "input": extension("address", DestinationIPInput()),
            "custom_match": extension("ranges", IPMatcher(range_matchers=ranges)),
        }
    }


def _range(cidr: str) -> dict[str, Any]:
    address, _, bits = cidr.partition("/")
    whole = 128 if ":" in address else 32
    return {"address_prefix": address, "prefix_len": {"value": int(bits or whole)}}


def _chain(name: str) -> dict[str, Any]:
    return extension(name, StringValue(value=name))
