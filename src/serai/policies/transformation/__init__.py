"""Headers, bodies and metadata that templates make, as far as stock Envoy can.

Envoy: envoy.filters.http.header_mutation, transform and lua.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from serai.api.syntax import is_header_name
from serai.api.transformation import HeaderTemplate, MetadataTemplate, Transform, Transformation
from serai.ir.route import HeaderMutations
from serai.policies.feature import (
    Asked,
    Compiled,
    Context,
    Fault,
    Feature,
    Judgement,
    Stage,
)
from serai.policies.transformation.encode import encode
from serai.policies.transformation.template import Body, Field, Header, Template, Text, parse
from serai.policies.transformation.values import Changes, Side, merged

JSON, STRING, UNREAD = "AsJson", "AsString", "None"


def _compile(_: Context, spec: Transformation) -> Compiled | Fault:
    request = _side(spec.request or Transform(), "request")
    response = _side(spec.response or Transform(), "response")
    if isinstance(request, Fault):
        return request
    return response if isinstance(response, Fault) else Compiled(Changes(request, response))


def _side(written: Transform, path: str) -> Side | Fault:
    reads = written.body.parse_as if written.body else UNREAD
    if reads not in (JSON, STRING, UNREAD):
        return Fault(f"{path}.body.parseAs", f'"{reads}" is not one of {STRING}, {JSON}, {UNREAD}')
    listed = [
        _headers(written.set, f"{path}.set", reads),
        _headers(written.add, f"{path}.add", reads),
    ]
    metadata = _metadata(written.dynamic_metadata, f"{path}.dynamicMetadata")
    body = _body(written, f"{path}.body.value")
    for found in (*listed, metadata, body):
        if isinstance(found, Fault):
            return found
    fixed = next((name for name in written.remove if not _is_changeable(name)), None)
    if fixed is not None:
        return Fault(f"{path}.remove", f'"{fixed}" is no header that can be changed')
    setting, adding = (found for found in listed if not isinstance(found, Fault))
    return Side(
        set=setting,
        add=adding,
        remove=tuple(name.lower() for name in written.remove),
        body=None if isinstance(body, Fault) else body,
        metadata=() if isinstance(metadata, Fault) else metadata,
    )


def _headers(
    written: Iterable[HeaderTemplate], path: str, reads: str
) -> tuple[tuple[str, Template], ...] | Fault:
    found: list[tuple[str, Template]] = []
    for position, each in enumerate(written):
        here = f"{path}[{position}]"
        if not _is_changeable(each.name):
            return Fault(f"{here}.name", f'"{each.name}" is no header that can be changed')
        template = parse(each.value)
        wrong = template if isinstance(template, str) else _unread(template, reads)
        if wrong or isinstance(template, str):
            return Fault(f"{here}.value", wrong)
        if Body() in template or any(c in each.value for c in "\r\n\0"):
            return Fault(f"{here}.value", "a header's value is one line, and no whole body")
        found.append((each.name.lower(), template))
    return tuple(found)


def _body(written: Transform, path: str) -> Template | Fault | None:
    if written.body is None or written.body.value is None or written.body.parse_as == UNREAD:
        return None
    template = parse(written.body.value)
    wrong = template if isinstance(template, str) else _unread(template, written.body.parse_as)
    if wrong or isinstance(template, str):
        return Fault(path, wrong)
    if Body() in template and any(isinstance(each, Field) for each in template):
        return Fault(path, "Envoy cannot put a body and fields of it into one text")
    return template


def _metadata(
    written: Iterable[MetadataTemplate], path: str
) -> tuple[tuple[str, str, Template], ...] | Fault:
    found: list[tuple[str, str, Template]] = []
    for position, each in enumerate(written):
        here = f"{path}[{position}].value.stringValue"
        template = parse(each.value.string_value or "")
        if isinstance(template, str):
            return Fault(here, template)
        if not all(isinstance(piece, Text | Header) for piece in template):
            return Fault(here, "Envoy puts texts and headers into metadata, not what bodies have")
        found.append((each.namespace, each.key, template))
    return tuple(found)


def _unread(template: Template, reads: str) -> str:
    field = next((each for each in template if isinstance(each, Field)), None)
    if field is not None and reads != JSON:
        return f"{'.'.join(field.path)} is of a body in JSON, which parseAs: {JSON} reads"
    return ""


def _is_changeable(name: str) -> bool:
    return is_header_name(name) and name.lower() != "host"


def _judge(changes: Changes, asked: Asked) -> Judgement:
    words = [
        f"{way}: {', '.join(named)}"
        for way, side in (("request", changes.request), ("answer", changes.response))
        if (named := list(_named(side)))
    ]
    return Judgement(
        "; ".join(words) or "no changes",
        request=_filled(changes.request, asked, request=True),
        response=_filled(changes.response, asked, request=False),
    )


def _named(side: Side) -> Iterator[str]:
    yield from (name for name, _ in (*side.set, *side.add))
    yield from (f"without {name}" for name in side.remove)
    if side.body is not None:
        yield "the body"
    yield from (f"metadata {namespace} {key}" for namespace, key, _ in side.metadata)


def _filled(side: Side, asked: Asked, *, request: bool) -> HeaderMutations:
    """What is changed in headers, as far as it is known before it is sent."""

    def known(pairs: tuple[tuple[str, Template], ...]) -> tuple[tuple[str, str], ...]:
        filled = ((name, _text(template, asked, request=request)) for name, template in pairs)
        return tuple((name, text) for name, text in filled if text is not None)

    return HeaderMutations(known(side.set), known(side.add), side.remove)


def _text(template: Template, asked: Asked, *, request: bool) -> str | None:
    texts: list[str] = []
    for piece in template:
        match piece:
            case Text(text):
                texts.append(text)
            case Header(name, of_request) if request or of_request:
                texts.append(asked.header(name) or "")
            case _:
                return None
    return "".join(texts)


TRANSFORMATION = Feature(
    name="transformation",
    stage=Stage.ACCEPTED,
    compile=_compile,
    encode=encode,
    judge=_judge,
    fails_closed=500,
    merge=merged,
)
