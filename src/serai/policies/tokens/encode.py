"""What is asked of tokens -> Envoy's filter, which is one for all routes of a proxy.

That filter takes away every header that any of its providers writes from every request that any
route lets it look at.  So it writes headers that nobody else has, and what policies ask for is
copied from them, route by route: no policy touches the requests of another.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from google.protobuf.message import Message

from serai.ir.match import PAYLOAD
from serai.policies.feature import Encoded
from serai.policies.tokens.requirement import KeySource, Provider, Requirement, Tokens
from serai.proto.envoy import HeaderMutation, JwtAuthentication, JwtPerRoute

FILTER = "serai.tokens"
"""Of every connection manager; it comes by itself (ECDS), so that no policy changes a listener."""
_MUTATION = "envoy.filters.http.header_mutation"
_OWN = "x-serai-token-"


def encode_tokens(tokens: Tokens) -> Encoded:
    """A route's own part: the headers that are written.  The rest is the filter's (`per_route`)."""
    changes = list(_changes(tokens.providers))
    if not changes:
        return Encoded()
    written = HeaderMutation(mutations={"request_mutations": changes})
    return Encoded(filters=((_MUTATION, written),))


def per_route(requirement: Requirement | None) -> Message:
    """What a route says to the filter; None: that it has nothing to do there."""
    if requirement is None:
        return JwtPerRoute(disabled=True)
    return JwtPerRoute(requirement_name=requirement.name)


def encode_filter(
    requirements: Mapping[str, Requirement], keys: Callable[[KeySource], str]
) -> Message:
    """The filter, with all that routes require, by name.  `keys`: those that were fetched."""
    providers: dict[str, dict[str, Any]] = {}
    for _, each in sorted(requirements.items()):
        for provider in each.providers:
            name = _name(provider, each)
            providers[name] = _provider(provider, keys, clears=each.clears)
    return JwtAuthentication(
        providers=providers,
        requirement_map={name: _required(each) for name, each in sorted(requirements.items())},
    )


def _name(provider: Provider, requirement: Requirement) -> str:
    return f"{provider.name}~" if requirement.clears else provider.name


def _required(requirement: Requirement) -> dict[str, Any]:
    parts = [_any_of(part, requirement) for part in requirement.parts]
    return parts[0] if len(parts) == 1 else {"requires_all": {"requirements": parts}}


def _any_of(tokens: Tokens, requirement: Requirement) -> dict[str, Any]:
    accepted: list[dict[str, Any]] = [
        {"provider_name": _name(each, requirement)} for each in tokens.providers
    ]
    if not tokens.required:
        accepted.append({"allow_missing": {}})
    return accepted[0] if len(accepted) == 1 else {"requires_any": {"requirements": accepted}}


def _provider(
    provider: Provider, keys: Callable[[KeySource], str], *, clears: bool
) -> dict[str, Any]:
    held = provider.keys if isinstance(provider.keys, str) else keys(provider.keys)
    payload = {"forward_payload_header": _own(provider, PAYLOAD)} if provider.payload_header else {}
    return {
        "issuer": provider.issuer,
        "audiences": provider.audiences,
        "local_jwks": {"inline_string": held},
        "forward": provider.forward,
        "from_headers": [
            {"name": each.name, "value_prefix": each.prefix} for each in provider.headers
        ],
        "from_params": provider.params,
        "from_cookies": provider.cookies,
        "payload_in_metadata": provider.metadata,
        "normalize_payload_in_metadata": {"space_delimited_claims": provider.spaced},
        "claim_to_headers": [
            {"header_name": _own(provider, str(number)), "claim_name": each.claim}
            for number, each in enumerate(provider.outputs)
        ],
        "clear_route_cache": clears,
        **payload,
    }


def _own(provider: Provider, part: str) -> str:
    return f"{_OWN}{provider.name}-{part}"


def _changes(providers: tuple[Provider, ...]) -> Iterator[dict[str, Any]]:
    """A client's own go first; then each is written from the token that was good, if any."""
    written = dict.fromkeys(name for each in providers for name in each.written)
    yield from ({"remove": name} for name in written)
    own: list[str] = []
    for provider in providers:
        copies = [(each.header, str(number)) for number, each in enumerate(provider.outputs)]
        copies += [(provider.payload_header, PAYLOAD)] if provider.payload_header else []
        for header, part in copies:
            name = _own(provider, part)
            own.append(name)
            value = {"key": header, "value": f"%REQ({name})%"}
            yield {"append": {"header": value, "append_action": "APPEND_IF_EXISTS_OR_ADD"}}
    yield from ({"remove": name} for name in own)
