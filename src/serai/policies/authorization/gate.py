"""Who may connect at all, decided before a byte is sent: for protocols whose server speaks first.

Envoy's RBAC filter of connections decides on the client's first byte.  Until then the endpoint is
connected, and what it says reaches the client.  So the same rules are also an expression that is
looked at when a connection begins; where it says no, there is no cluster to send to, and the
connection is closed.  What it cannot decide (ranges of IPv6, metadata of other filters) it leaves
to RBAC.
"""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import IPv4Network, ip_network
from typing import NamedTuple

from google.protobuf.message import Message

from serai.ir.filter_state import PEER_PRINCIPAL
from serai.policies.authorization.predicate import (
    Address,
    AllOf,
    AnyOf,
    Compare,
    Form,
    InRange,
    Not,
    OnPort,
    Predicate,
    Rule,
    Subject,
)
from serai.proto.cel import cel_formatter
from serai.proto.envoy import NetworkSetFilterState

NAME = "serai.authorization.gate"
CLUSTER = "envoy.tcp_proxy.cluster"
"""The filter state that names where a connection goes, whatever its proxy says."""
NOWHERE = "serai.denied"
"""No cluster is called so."""
_KNOWN = f"'{PEER_PRINCIPAL}' in filter_state"
_PRINCIPAL = f"string(filter_state['{PEER_PRINCIPAL}'])"
_PLAIN = frozenset("/.:_-")


class _Bounds(NamedTuple):
    """An expression that is true only where a predicate holds, and one that is wherever it does."""

    surely: str
    perhaps: str


_ALWAYS, _NEVER, _UNKNOWN = (
    _Bounds("true", "true"),
    _Bounds("false", "false"),
    _Bounds("false", "true"),
)


def closed() -> tuple[str, Message]:
    """A filter by which no connection goes anywhere."""
    return _filter(NOWHERE)


def gate(denying: Iterable[Rule], allowing: Iterable[Rule] | None) -> tuple[str, Message] | None:
    """A filter that refuses whom a rule denies, or no rule allows where there have to be any.

    None for `allowing`: nobody needs to be allowed.
    """
    refused = [_rule(each).surely for each in denying]
    if allowing is not None:
        let_in = _joined([_rule(each).perhaps for each in allowing], "||", "false")
        refused.append(f"!({let_in})")
    refused = [each for each in refused if each != "false"]
    if not refused:
        return None
    expression = f"({_joined(refused, '||', 'false')}) ? '{NOWHERE}' : ''"
    return _filter(f"%CEL({expression})%")


def _filter(text: str) -> tuple[str, Message]:
    """An expression that fails gives a dash, which is no cluster either."""
    state = {
        "object_key": CLUSTER,
        "format_string": {
            "text_format_source": {"inline_string": text},
            "formatters": [cel_formatter()],
        },
        "skip_if_empty": True,
    }
    return NAME, NetworkSetFilterState(on_new_connection=[state])


def _rule(rule: Rule) -> _Bounds:
    return _bounds(AllOf((rule.who, rule.what)))


def _bounds(predicate: Predicate) -> _Bounds:
    match predicate:
        case AllOf(parts):
            return _combined([_bounds(each) for each in parts], "&&", "true")
        case AnyOf(parts):
            return _combined([_bounds(each) for each in parts], "||", "false")
        case Not(part):
            found = _bounds(part)
            return _Bounds(f"!({found.perhaps})", f"!({found.surely})")
        case InRange(address, cidr):
            return _in_range(address, cidr)
        case OnPort(port):
            return _exactly(f"destination.port == {port}")
        case Compare(subject=Subject.PRINCIPAL):
            return _exactly(f"({_KNOWN} && {_compared(_PRINCIPAL, predicate)})")
        case Compare(subject=Subject.SERVER_NAME):
            return _exactly(_compared("connection.requested_server_name", predicate))
        case Compare():
            return _UNKNOWN


def _combined(parts: list[_Bounds], operator: str, empty: str) -> _Bounds:
    return _Bounds(
        _joined([each.surely for each in parts], operator, empty),
        _joined([each.perhaps for each in parts], operator, empty),
    )


def _joined(parts: list[str], operator: str, empty: str) -> str:
    return f" {operator} ".join(f"({each})" for each in parts) or empty


def _exactly(expression: str) -> _Bounds:
    return _Bounds(expression, expression)


def _compared(text: str, found: Compare) -> str:
    value = _text(found.value)
    match found.form:
        case Form.PRESENT:
            return f"{text} != ''"
        case Form.PREFIX:
            return f"{text}.startsWith({value})"
        case Form.SUFFIX:
            return f"{text}.endsWith({value})"
        case Form.REGEX:
            return f"{text}.matches({_text(f'^(?:{found.value})$')})"
        case _:
            return f"{text} == {value}"


def _in_range(address: Address, cidr: str) -> _Bounds:
    """Addresses are ``ip:port``, those of IPv6 in brackets."""
    where = "destination.address" if address is Address.DESTINATION else "source.address"
    network = ip_network(cidr)
    if isinstance(network, IPv4Network):
        return _exactly(f"{where}.matches({_text(_of_range(network))})")
    six = f"{where}.startsWith('[')"
    return _exactly(six) if network.prefixlen == 0 else _Bounds("false", six)


def _of_range(network: IPv4Network) -> str:
    """A regular expression for the addresses of a range."""
    first, last = network.network_address.packed, network.broadcast_address.packed
    octets = (_octet(low, high) for low, high in zip(first, last, strict=True))
    return "^" + "[.]".join(octets) + ":"


def _octet(low: int, high: int) -> str:
    if (low, high) == (0, 255):
        return "[0-9]+"
    return "(" + "|".join(str(each) for each in range(low, high + 1)) + ")"


def _text(value: str) -> str:
    """A text for an expression, in which nothing ends the text or the expression."""
    return "'" + "".join(each if _is_plain(each) else f"\\U{ord(each):08x}" for each in value) + "'"


def _is_plain(character: str) -> bool:
    return character in _PLAIN or (character.isascii() and character.isalnum())
