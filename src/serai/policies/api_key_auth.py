"""Callers that show a key from a Secret.  Envoy: envoy.filters.http.api_key_auth."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Iterator
from urllib.parse import unquote_plus

import re2

from serai.api.core import Secret
from serai.api.syntax import is_header_name
from serai.api.traffic_auth import APIKeyAuth
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
from serai.policies.script import script, table
from serai.proto.envoy import ApiKeyAuth

FILTER = "envoy.filters.http.api_key_auth"
USUAL_HEADER = "api-key"
CLIENT = re2.compile(r"[-._a-zA-Z0-9]+")
"""What keys of Secrets are made of."""
BEARER = "Bearer "
"""Envoy takes what follows it as the key."""


class Source(Value, frozen=True):
    """Where a key may be, in the order in which it is looked for."""

    header: str = ""
    query: str = ""
    cookie: str = ""


class Keys(Value, frozen=True):
    """The keys that are taken, and where they are looked for.  No sources: none is asked for."""

    sources: tuple[Source, ...] = ()
    known: tuple[tuple[str, str], ...] = ()
    """Key and client."""
    client_header: str = ""
    """Tells the endpoint which client it is."""
    forwarded: bool = False
    """Whether endpoints see the key."""

    def __repr__(self) -> str:
        return f"Keys({', '.join(client for _, client in self.known)})"


def _compile(context: Context, spec: APIKeyAuth) -> Compiled | Fault:
    if [spec.secret_ref, spec.secret_selector, spec.disable].count(None) != 2:  # noqa: PLR2004
        return Fault("", "one of secretRef, secretSelector and disable is needed")
    if spec.disable is not None:
        return Compiled(Keys())
    sources = tuple(
        Source(each.header or "", each.query or "", each.cookie or "") for each in spec.key_sources
    )
    wrong = _wrong_name(sources, spec.client_id_header or "")
    if wrong is not None:
        return wrong
    secrets = _secrets(context, spec)
    if isinstance(secrets, Fault):
        return secrets
    known, faults = _known(secrets)
    if not known:
        where = "secretRef" if spec.secret_ref else "secretSelector"
        faults.append(Fault(where, "there is no key, so that every request is answered 401"))
    return Compiled(
        Keys(
            sources or (Source(header=USUAL_HEADER),),
            known,
            (spec.client_id_header or "").lower(),
            spec.forward_credential,
        ),
        faults=tuple(faults),
    )


def _wrong_name(sources: tuple[Source, ...], client_header: str) -> Fault | None:
    for position, each in enumerate(sources):
        path = f"keySources[{position}]"
        if not (each.header or each.query or each.cookie):
            return Fault(path, "one of header, query and cookie is needed")
        if each.header and not is_header_name(each.header):
            return Fault(f"{path}.header", f'"{each.header}" is no name of a header')
    if client_header and (not is_header_name(client_header) or client_header.lower() == "host"):
        return Fault("clientIdHeader", f'"{client_header}" is no name of a header that can be set')
    return None


def _secrets(context: Context, spec: APIKeyAuth) -> tuple[Secret, ...] | Fault:
    if spec.secret_selector is not None:
        labels = spec.secret_selector.match_labels
        if not labels:
            return Fault("secretSelector.matchLabels", "at least one label is needed")
        return context.secrets(labels)
    reference = spec.secret_ref
    if reference is None:
        return ()
    if (reference.group, reference.kind) != ("", "Secret"):
        return Fault("secretRef", f"{reference.kind} is no Secret", "InvalidKind")
    found = context.secret(reference.name, reference.namespace)
    if isinstance(found, Fault):
        return Fault("secretRef", found.message, found.reason)
    return (found,)


def _known(secrets: Iterable[Secret]) -> tuple[tuple[tuple[str, str], ...], list[Fault]]:
    """Key and client, each key once; and clients whose key cannot be taken, by name only."""
    known: dict[str, str] = {}
    faults: list[Fault] = []
    for secret in secrets:
        name = f"Secret {secret.metadata.name}"
        for client, key in sorted(_values(secret)):
            if not key or not key.isprintable() or not CLIENT.fullmatch(client):
                faults.append(
                    Fault(
                        "",
                        f"{client} of {name} is no key: it is empty or no text, or has an odd name",
                    )
                )
            elif key in known:
                faults.append(_left_out(f"{client} of {name} has the key of {known[key]}"))
            else:
                known[key] = client
    return tuple(sorted(known.items())), faults


def _left_out(why: str) -> Fault:
    return Fault("", f"{why}; it is left out", "PartiallyInvalid")


def _values(secret: Secret) -> Iterator[tuple[str, str]]:
    for client, text in secret.data.items():
        if client not in secret.string_data:
            yield client, base64.b64decode(text).decode(errors="replace").strip()
    yield from ((client, key.strip()) for client, key in secret.string_data.items())


def _encode(keys: Keys) -> Encoded:
    if not keys.sources:
        return Encoded()
    queries = [each.query for each in keys.sources if each.query]
    hides = not keys.forwarded
    config = ApiKeyAuth(
        credentials=[{"key": key, "client": client} for key, client in keys.known],
        key_sources=[place for each in keys.sources for place in _one_by_one(each)],
        forwarding={"header": keys.client_header, "hide_credentials": hides and not queries},
    )
    if not hides or not queries:
        return Encoded(filters=((FILTER, config),))
    return Encoded(filters=((FILTER, config), script(_hiding(keys))))


def _one_by_one(source: Source) -> Iterator[dict[str, str]]:
    """Of a source with several places Envoy looks at the first only."""
    places = {"header": source.header, "query": source.query, "cookie": source.cookie}
    return ({place: name} for place, name in places.items() if name)


def _hiding(keys: Keys) -> str:
    """Takes keys away wherever they may be.

    Envoy itself writes the rest of a query anew, and forgets to escape it.
    """
    headers = table(each.header for each in keys.sources if each.header)
    queries = table(each.query for each in keys.sources if each.query)
    cookies = table(each.cookie for each in keys.sources if each.cookie)
    return f"local headers, queries, cookies = {headers}, {queries}, {cookies}\n{_HIDE}"


_HIDE = """
local function has(list, name)
  for _, each in ipairs(list) do
    if each == name then return true end
  end
  return false
end

local function plain(text)
  return (text:gsub("+", " "):gsub("%%(%x%x)", function(hex)
    return string.char(tonumber(hex, 16))
  end))
end

local function without(text, divider, list, read)
  local kept = {}
  for part in (text .. divider):gmatch("([^" .. divider .. "]*)" .. divider) do
    local name = part:match("^%s*([^=]*)")
    if not has(list, read(name)) then kept[#kept + 1] = part end
  end
  return table.concat(kept, divider)
end

local function same(text) return text end

function envoy_on_request(handle)
  local found = handle:headers()
  for _, name in ipairs(headers) do found:remove(name) end
  local path = found:get(":path") or ""
  local at = path:find("?", 1, true)
  if at then
    local rest = without(path:sub(at + 1), "&", queries, plain)
    local bare = path:sub(1, at - 1)
    found:replace(":path", rest == "" and bare or bare .. "?" .. rest)
  end
  local cookie = found:get("cookie")
  if cookie and #cookies > 0 then
    local rest = without(cookie, ";", cookies, same)
    if rest == "" then found:remove("cookie") else found:replace("cookie", rest) end
  end
end
"""


def _judge(keys: Keys, asked: Asked) -> Judgement:
    """By the client's name only: keys are secrets."""
    if not keys.sources:
        return Judgement("no key is asked for")
    shown = next((key for each in keys.sources for key in _shown(each, asked) if key), "")
    if not shown:
        return Judgement(f"no key in {' or '.join(_places(keys))}", status=401)
    client = dict(keys.known).get(shown)
    if client is None:
        return Judgement("a key that nobody has", status=401)
    added = ((keys.client_header, client),) if keys.client_header else ()
    words = f"the key of {client}"
    if keys.forwarded:
        return Judgement(words, request=HeaderMutations(set=added))
    hidden = tuple(each.header for each in keys.sources if each.header)
    return Judgement(
        words, request=HeaderMutations(set=added, remove=hidden), query=_rest(keys, asked)
    )


def _rest(keys: Keys, asked: Asked) -> str | None:
    """The query without what may be a key."""
    names = {each.query for each in keys.sources if each.query}
    _, mark, query = asked.path.partition("?")
    if not names or not mark:
        return None
    return "&".join(
        part for part in query.split("&") if unquote_plus(part.partition("=")[0]) not in names
    )


def _places(keys: Keys) -> Iterator[str]:
    for each in keys.sources:
        for what, name in (
            ("header", each.header),
            ("query parameter", each.query),
            ("cookie", each.cookie),
        ):
            if name:
                yield f"{what} {name}"


def _shown(source: Source, asked: Asked) -> Iterator[str]:
    """What may be a key, the first that is not empty is."""
    if source.header:
        values = (value for name, value in asked.headers if name == source.header.lower())
        yield next(values, "").removeprefix(BEARER)
    if source.query:
        _, _, query = asked.path.partition("?")
        yield next(_named(query, "&", source.query, plain=True), "")
    if source.cookie:
        yield next(_named(asked.header("cookie") or "", ";", source.cookie, plain=False), "")


def _named(text: str, divider: str, wanted: str, *, plain: bool) -> Iterator[str]:
    for part in text.split(divider):
        name, _, value = part.partition("=")
        if plain and unquote_plus(name) == wanted:
            yield unquote_plus(value)
        elif not plain and name.strip() == wanted:
            yield value.strip().strip('"')


API_KEY_AUTH = Feature(
    name="apiKeyAuth",
    stage=Stage.TOKENS,
    compile=_compile,
    encode=_encode,
    judge=_judge,
    fails_closed=500,
)
