"""Headers to set, add and remove; values may come from Secrets, such as a vendor's API key.

Envoy: envoy.filters.http.header_mutation.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator
from typing import Any

from serai.api.core import Secret
from serai.api.syntax import is_changeable_header, is_header_value
from serai.api.traffic_shaping import HeaderModifier, HeaderModifiers, HeaderValue
from serai.ir.origin import Value
from serai.ir.route import HeaderMutations
from serai.policies.feature import (
    Asked,
    Compiled,
    Context,
    Encoded,
    Fault,
    Feature,
    Judgement,
    Stage,
)
from serai.proto.envoy import HeaderMutation

FILTER = "envoy.filters.http.header_mutation"
CONFIDENTIAL = "serai.confidential.header_mutation"
"""The same with values that no view may show: Envoy goes by the type, people by the name."""


class Headers(Value, frozen=True):
    """What changes on the way there and on the way back."""

    request: HeaderMutations
    response: HeaderMutations


def _compile(context: Context, spec: HeaderModifiers) -> Compiled | Fault:
    request = _mutations(context, spec.request, "request")
    response = _mutations(context, spec.response, "response")
    if isinstance(request, Fault):
        return request
    return response if isinstance(response, Fault) else Compiled(Headers(request, response))


def _mutations(
    context: Context, written: HeaderModifier | None, side: str
) -> HeaderMutations | Fault:
    if written is None:
        return HeaderMutations()
    found: dict[str, tuple[tuple[str, str], ...]] = {}
    secret: list[str] = []
    for field, headers in (("set", written.set), ("add", written.add)):
        pairs: list[tuple[str, str]] = []
        for position, each in enumerate(headers):
            values = _values(context, each)
            if isinstance(values, Fault):
                return Fault(f"{side}.{field}[{position}]", values.message, values.reason)
            wrong = next((name for name, value in values if not is_header_value(value)), None)
            if wrong is not None:
                # The value is not shown: it may be a secret.
                message = f"the value of {wrong} cannot be a header's: it must be one short line"
                return Fault(f"{side}.{field}[{position}]", message)
            pairs += values
            secret += [name for name, _ in values if each.secret_ref is not None]
        found[field] = tuple(pairs)
    fixed = next((name for name in _names(found, written) if not is_changeable_header(name)), None)
    if fixed is not None:
        message = f'"{fixed}" is no header that can be changed'
        if fixed.startswith(":") or fixed.lower() == "host":
            message += "; use autoHostRewrite or a URLRewrite"
        return Fault(side, message)
    return HeaderMutations(found["set"], found["add"], written.remove, tuple(secret))


def _names(found: dict[str, tuple[tuple[str, str], ...]], written: HeaderModifier) -> Iterator[str]:
    yield from (name for pairs in found.values() for name, _ in pairs)
    yield from written.remove


def _values(context: Context, header: HeaderValue) -> list[tuple[str, str]] | Fault:
    """The header, or one for each key of a Secret that is named without a key."""
    if header.secret_ref is None:
        if header.value is None or not header.name:
            return Fault("", "a header needs a name, and a value or a secretRef")
        return [(header.name, header.value)]
    reference = header.secret_ref
    secret = context.secret(reference.name, reference.namespace)
    if isinstance(secret, Fault):
        return secret
    known = dict(_texts(secret))
    key = reference.key or header.name
    wanted = [key] if key else sorted(known)
    gone = [each for each in wanted if each not in known]
    if gone:
        return Fault("", f"Secret {reference.name} has no key {gone[0]}")
    found = [(each, known[each]) for each in wanted]
    odd = [each for each, text in found if text is None]
    if odd:
        return Fault("", f"{odd[0]} of Secret {reference.name} is no text in UTF-8")
    return [(header.name or each, text) for each, text in found if text is not None]


def _texts(secret: Secret) -> Iterator[tuple[str, str | None]]:
    """The values by key, None for one that is no text.

    Blanks around are no part of a header's value, such as the newline that editors write.
    """
    for key, encoded in secret.data.items():
        try:
            yield key, base64.b64decode(encoded).decode().strip()
        except UnicodeDecodeError:
            yield key, None
    yield from ((key, text.strip()) for key, text in secret.string_data.items())


def _encode(headers: Headers) -> Encoded:
    found = HeaderMutation(
        mutations={
            "request_mutations": list(_changes(headers.request)),
            "response_mutations": list(_changes(headers.response)),
        }
    )
    secret = headers.request.secret or headers.response.secret
    return Encoded(filters=((CONFIDENTIAL if secret else FILTER, found),))


def _changes(mutations: HeaderMutations) -> Iterator[dict[str, Any]]:
    """In the order in which they are made: remove, set, add."""
    yield from ({"remove": name} for name in mutations.remove)
    for pairs, action in (
        (mutations.set, "OVERWRITE_IF_EXISTS_OR_ADD"),
        (mutations.add, "APPEND_IF_EXISTS_OR_ADD"),
    ):
        for name, value in pairs:
            # A user's percent sign is no operator of Envoy's.
            header = {"key": name, "value": value.replace("%", "%%")}
            yield {"append": {"header": header, "append_action": action, "keep_empty_value": True}}


def _judge(headers: Headers, _: Asked) -> Judgement:
    """By name only: a value may be a secret."""
    words = [
        f"{way} {', '.join(names)}"
        for way, changes in (("request:", headers.request), ("response:", headers.response))
        if (names := [name for name, _ in (*changes.set, *changes.add)] + list(changes.remove))
    ]
    said = "; ".join(words) or "no changes"
    return Judgement(said, request=headers.request, response=headers.response)


HEADER_MODIFIERS = Feature(
    name="headerModifiers",
    stage=Stage.ACCEPTED,
    compile=_compile,
    encode=_encode,
    judge=_judge,
    fails_closed=500,
)
