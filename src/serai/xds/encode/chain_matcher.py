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
from serai.xds.encode.identity import CONNECT_AUTHORITY, HOST, TLVS


def chain_matcher(matches: tuple[ChainMatch, ...], *, by_tlv: bool = False) -> dict[str, Any]:
    """A map of ports, each with a trie of address ranges of which the longest wins.

    Before it what connections ask for by name, if any can: a map of what tunnels are for, or
    (`by_tlv`) a map of the hosts that the PROXY protocol names.
    """
    ports: dict[int, list[ChainMatch]] = {}
    by_name = {}
    by_host: dict[str, list[ChainMatch]] = {}
    for match in sorted(matches, key=lambda each: (each.cidr, each.port)):
        if match.by_name and by_tlv:
            by_host.setdefault(match.cidr, []).append(match)
        elif match.by_name:
            by_name[with_port(match.cidr, match.port)] = {"action": _chain(match.chain)}
        else:
            ports.setdefault(match.port, []).append(match)
    any_port = _by_address(ports.pop(0)) if 0 in ports else {}
    by_address = _by_port(ports) if ports else any_port
    if ports and any_port:
        by_address = {**by_address, "on_no_match": {"matcher": any_port}}
    otherwise = {"on_no_match": {"matcher": by_address}} if by_address else {}
    if by_host:
        hosts = {host: {"matcher": _ports_of_host(found)} for host, found in by_host.items()}
        tree = {"input": _host(), "exact_match_map": {"map": hosts}}
        return {"matcher_tree": tree, **otherwise}
    if not by_name:
        return by_address
    asked = extension("asked", FilterStateInput(key=CONNECT_AUTHORITY))
    tree = {"matcher_tree": {"input": asked, "exact_match_map": {"map": by_name}}}
    return {**tree, **otherwise}


def _host() -> dict[str, Any]:
    """The host that the PROXY protocol names.

    It is a field of a filter state, and xds-protos does not know yet that one can be asked for.
    """
    field = b"\x12" + bytes([len(HOST)]) + HOST.encode()
    return extension(
        "host", FilterStateInput.FromString(FilterStateInput(key=TLVS).SerializeToString() + field)
    )


def _ports_of_host(matches: list[ChainMatch]) -> dict[str, Any]:
    ports = {str(match.port): {"action": _chain(match.chain)} for match in matches}
    tree = {"input": extension("port", DestinationPortInput()), "exact_match_map": {"map": ports}}
    return {"matcher_tree": tree}


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
    by_chain: dict[str, list[dict[str, Any]]] = {}
    for match in sorted(matches, key=lambda each: each.cidr):
        by_chain.setdefault(match.chain, []).append(_range(match.cidr))
    ranges = [
        {"ranges": found, "on_match": {"action": _chain(chain)}}
        for chain, found in by_chain.items()
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
