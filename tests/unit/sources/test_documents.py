"""A file is split into documents, so that a fault in one loses no other."""

import json

import pytest

from serai.sources.documents import Item, decode_text, parse, split

FOUR = "kind: A\n---\n# about B\nkind: B\n--- # more\n\n---\nkind: C\n...\n--- {kind: D}\n"


def kinds(text: str) -> list[tuple[str, int]]:
    return [
        (item.value["kind"], document.line + item.line - 1)
        for document in split(text)
        for item in parse(document.text).items
    ]


@pytest.mark.parametrize("text", [FOUR, FOUR.replace("\n", "\r\n"), "\ufeff" + FOUR])
def test_documents_know_their_lines(text: str) -> None:
    assert kinds(decode_text(text.encode())) == [("A", 1), ("B", 4), ("C", 8), ("D", 10)]


def test_a_marker_inside_a_text_is_no_marker() -> None:
    text = "kind: A\ndata: |\n  ---\n  x\nmore: '---'\n"
    assert kinds(text) == [("A", 1)]


def test_a_broken_document_loses_no_other() -> None:
    documents = split("kind: A\n---\nkind: [\n---\nkind: B\n")
    contents = [parse(document.text) for document in documents]
    assert [len(content.items) for content in contents] == [1, 0, 1]
    assert [document.line for document in documents] == [1, 3, 5]
    assert contents[1].faults[0].code == "SER0001"


def test_directives_are_skipped() -> None:
    assert kinds("%YAML 1.1\n---\nkind: A\n") == [("A", 3)]


@pytest.mark.parametrize("text", ["", "\n", "---\n---\n", "# only\n---\n# comments"])
def test_a_file_without_content_has_no_documents(text: str) -> None:
    assert split(text) == ()


def test_bytes_that_are_not_utf8_spoil_their_document_only() -> None:
    first, second = split(decode_text(b"kind: A\nx: \xff\n---\nkind: B\n"))
    (fault,) = parse(first.text).faults
    assert (fault.code, fault.line, fault.message) == ("SER0001", 2, "not UTF-8 text")
    assert parse(second.text).items[0].value == {"kind": "B"}


def test_json() -> None:
    assert kinds('\n{\n  "kind": "A",\n  "n": 1.0\n}\n') == [("A", 2)]
    assert parse('{"n": 80.0}').items[0].value == {"n": 80}


def test_concatenated_json() -> None:
    assert kinds('{"kind": "A"}\n{"kind": "B"}{"kind":\n"C"}\n') == [("A", 1), ("B", 2), ("C", 2)]


def test_faults_in_json_have_a_line() -> None:
    (fault,) = parse('{\n  "a": 1,\n  "a": 2\n}').faults
    assert (fault.code, fault.line) == ("SER0004", 3)
    (fault,) = parse('{\n  "a": 1\n  "b": 2\n}').faults
    assert (fault.code, fault.line) == ("SER0001", 3)


def test_deep_json_is_a_fault() -> None:
    (fault,) = parse('{"a":' * 5000 + "1" + "}" * 5000).faults
    assert fault.code in ("SER0001", "SER0011")


def test_yaml_flow_that_is_not_json() -> None:
    assert parse("{kind: A, ports: [80,]}").items[0].value == {"kind": "A", "ports": [80]}


def test_a_list_gives_its_items() -> None:
    text = "apiVersion: v1\nkind: List\nitems:\n- kind: A\n- kind: B\n"
    assert parse(text).items == (
        Item({"kind": "A"}, 4, "items[0]"),
        Item({"kind": "B"}, 5, "items[1]"),
    )


def test_a_list_in_json_knows_its_lines() -> None:
    items = [{"kind": "A", "items": [1]}, {"kind": "B"}]
    text = json.dumps({"metadata": {"items": []}, "kind": "List", "items": items}, indent=1)
    lines = [item.line for item in parse(text).items]
    assert lines == [7, 13]
    assert text.splitlines()[12].strip() == "{"


def test_a_typed_list_gives_its_items_their_type() -> None:
    text = "apiVersion: v1\nkind: ServiceList\nitems:\n- metadata: {name: a}\n"
    value = parse(text).items[0].value
    assert (value["apiVersion"], value["kind"]) == ("v1", "Service")


def test_an_empty_list_has_no_items() -> None:
    assert parse("kind: List\nitems:\n").items == ()
    assert parse("kind: List\nitems: []\n").items == ()


def test_a_document_may_be_large_only_as_a_list() -> None:
    entry = "- kind: A\n  data: '" + "x" * 1000 + "'\n"
    assert len(parse("kind: List\nitems:\n" + entry * 1500).items) == 1500
    (fault,) = parse("kind: A\ndata: '" + "x" * (1 << 20) + "'\n").faults
    assert fault.code == "SER0011"
