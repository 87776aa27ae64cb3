"""How answers look that Envoy gives by itself.  Envoy: LocalReplyConfig."""

from __future__ import annotations

from typing import Any

import msgspec

from serai.api.direct_response import BodyFormat
from serai.api.listener_policy import LocalReplies, LocalReplyMapper
from serai.api.operators import nested_fault, operators_fault
from serai.api.syntax import is_changeable_header, is_header_value
from serai.ir.origin import Value
from serai.listener_policies.log_filter import encode_filter, filter_fault
from serai.listener_policies.setting import Changes, Setting
from serai.policies.feature import Compiled, Context, Fault

_STATUSES = range(100, 600)


class Replies(Value, frozen=True):
    """What is asked for, as JSON: in it are objects of any shape, which have no hash."""

    written: bytes


def _compile(_: Context, written: LocalReplies) -> Compiled | Fault:
    if written.default_body_format and (words := _format_fault(written.default_body_format)):
        return Fault("defaultBodyFormat", words)
    usable: list[LocalReplyMapper] = []
    faults: list[Fault] = []
    for index, each in enumerate(written.mappers):
        fault = _mapper_fault(each)
        if fault is None:
            usable.append(each)
        else:
            path = ".".join(part for part in (f"mappers[{index}]", fault.path) if part)
            faults.append(Fault(path, fault.message, fault.reason))
    done = LocalReplies(written.default_body_format, tuple(usable))
    return Compiled(Replies(msgspec.json.encode(done, order="sorted")), faults=tuple(faults))


def _mapper_fault(mapper: LocalReplyMapper) -> Fault | None:
    fault = filter_fault(mapper.filter)
    if fault is not None:
        return Fault(".".join(part for part in ("filter", fault.path) if part), fault.message)
    if mapper.status_code is not None and mapper.status_code not in _STATUSES:
        return Fault("statusCode", f"{mapper.status_code} is not a status")
    if mapper.body_format_override and (words := _format_fault(mapper.body_format_override)):
        return Fault("bodyFormatOverride", words)
    headers = (*mapper.headers.set, *mapper.headers.add) if mapper.headers else ()
    if any(each.value is None for each in headers):
        return Fault("headers", "values from Secrets would be in the listener; write them here")
    odd = [each for each in headers if not _is_header(each.name, each.value or "")]
    return Fault("headers", f'"{odd[0].name}" is no header that can be set') if odd else None


def _is_header(name: str, value: str) -> bool:
    return is_changeable_header(name) and is_header_value(value)


def _format_fault(found: BodyFormat) -> str:
    if (found.text is None) == (found.json is None):
        return "it needs one of text and json"
    return operators_fault(found.text) if found.text is not None else nested_fault(found.json)


def _encode(found: Replies) -> Changes:
    asked = msgspec.json.decode(found.written, type=LocalReplies)
    config: dict[str, Any] = {"mappers": [_mapper(each) for each in asked.mappers]}
    if asked.default_body_format is not None:
        config["body_format"] = _format(asked.default_body_format)
    return Changes(manager={"local_reply_config": config})


def _mapper(mapper: LocalReplyMapper) -> dict[str, Any]:
    found: dict[str, Any] = {"filter": encode_filter(mapper.filter)}
    if mapper.status_code is not None:
        found["status_code"] = {"value": mapper.status_code}
    if mapper.body is not None:
        found["body"] = {"inline_string": mapper.body}
    if mapper.body_format_override is not None:
        found["body_format_override"] = _format(mapper.body_format_override)
    if mapper.headers is not None:
        found["headers_to_add"] = [
            *(
                _header(each.name, each.value, "OVERWRITE_IF_EXISTS_OR_ADD")
                for each in mapper.headers.set
            ),
            *(
                _header(each.name, each.value, "APPEND_IF_EXISTS_OR_ADD")
                for each in mapper.headers.add
            ),
        ]
    return found


def _header(name: str, value: str | None, action: str) -> dict[str, Any]:
    header = {"key": name, "value": (value or "").replace("%", "%%")}
    return {"header": header, "append_action": action}


def _format(found: BodyFormat) -> dict[str, Any]:
    kind = {"content_type": found.content_type} if found.content_type else {}
    if found.json is not None:
        return {"json_format": found.json, **kind}
    return {"text_format_source": {"inline_string": found.text or ""}, **kind}


LOCAL_REPLIES = Setting("localReplies", "local_replies", _compile, _encode)

SETTINGS = (LOCAL_REPLIES,)
