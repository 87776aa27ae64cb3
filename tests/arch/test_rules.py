"""The rules that every file of Serai keeps.  Each is tried on a breach of it as well."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from arch.source import Module, contracts, definitions, imports, modules

MAX_FILE = 400
MAX_FUNCTION = 40

VAGUE_NAMES = {"manager", "helper", "helpers", "utils", "util", "common", "base", "misc"}

IO_CALLS = {"open", "print", "input", "exec", "eval", "breakpoint"}
IO_METHODS = {"open", "read_text", "read_bytes", "write_text", "write_bytes"}
READS_ITS_BUNDLE = "serai.proto.pool"

SUPPRESSION = re.compile(r"#\s*(type:\s*ignore|noqa)(?P<code>\[[\w-]+[\w\s,-]*\]|:\s*[A-Z]+\d+)?")

Rule = Callable[[Module], Iterator[str]]


def short_files(module: Module) -> Iterator[str]:
    """A file has at most 400 lines."""
    lines = module.text.count("\n")
    if lines > MAX_FILE:
        yield f"{module.at(lines)}: {lines} lines, more than {MAX_FILE}: split it by its nouns"


def short_functions(module: Module) -> Iterator[str]:
    """A function has at most 40 lines, its docstring included."""
    for node in definitions(module.tree):
        lines = (node.end_lineno or node.lineno) - node.lineno + 1
        if not isinstance(node, ast.ClassDef) and lines > MAX_FUNCTION:
            yield f"{module.at(node.lineno)}: {node.name} has {lines} lines"


def documented(module: Module) -> Iterator[str]:
    """Modules, public classes, public functions and public methods have docstrings."""
    if not ast.get_docstring(module.tree):
        yield f"{module.at(1)}: the module has no docstring"
    public: list[ast.AST] = [module.tree]
    while public:
        for node in ast.iter_child_nodes(public.pop()):
            if not isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
                continue
            if node.name.startswith("_"):
                continue
            if not ast.get_docstring(node):
                yield f"{module.at(node.lineno)}: {node.name} has no docstring"
            if isinstance(node, ast.ClassDef):
                public.append(node)


def telling_names(module: Module) -> Iterator[str]:
    """No package or module is named after nothing in particular."""
    for vague in VAGUE_NAMES.intersection(module.name.split(".")):
        yield f"{module.at(1)}: {vague} does not say what is in it"


def no_io_in_the_core(module: Module) -> Iterator[str]:
    """The core opens no file, prints nothing and asks nobody."""
    if not module.is_core or module.name == READS_ITS_BUNDLE:
        return
    for node in ast.walk(module.tree):
        if not isinstance(node, ast.Call):
            continue
        if isinstance(node.func, ast.Name) and node.func.id in IO_CALLS:
            yield f"{module.at(node.lineno)}: the core calls {node.func.id}"
        if isinstance(node.func, ast.Attribute) and node.func.attr in IO_METHODS:
            yield f"{module.at(node.lineno)}: the core calls .{node.func.attr}"


def no_clock_in_the_core(module: Module) -> Iterator[str]:
    """Time is an argument: the core asks neither datetime.now nor today."""
    for node in ast.walk(module.tree) if module.is_core else ():
        if isinstance(node, ast.Attribute) and node.attr in {"now", "utcnow", "today"}:
            yield f"{module.at(node.lineno)}: the core reads the clock by .{node.attr}"


def no_edges_in_the_core(module: Module) -> Iterator[str]:
    """As the contract in pyproject.toml, which cannot name packages that may be missing."""
    forbidden = contracts()["forbidden"]["forbidden_modules"]
    for line, name in imports(module.tree) if module.is_core else ():
        if name.split(".")[0] in forbidden:
            yield f"{module.at(line)}: the core imports {name}"


def no_changing_globals(module: Module) -> Iterator[str]:
    """Nothing rebinds a module's names when the program runs."""
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Global):
            yield f"{module.at(node.lineno)}: global {', '.join(node.names)}"


def reasoned_suppressions(module: Module) -> Iterator[str]:
    """A suppressed complaint is named."""
    for number, line in enumerate(module.text.splitlines(), 1):
        found = SUPPRESSION.search(line)
        if found and not found["code"]:
            yield f"{module.at(number)}: {found[0]} names no code"


BREACHES: list[tuple[Rule, str, str]] = [
    (short_files, "serai/xds/x.py", "\n" * 401),
    (short_functions, "serai/xds/x.py", "def long():\n" + "    pass\n" * 40),
    (short_functions, "serai/cli/x.py", "class A:\n  async def f():\n" + "    pass\n" * 40),
    (documented, "serai/xds/x.py", "import ast\n"),
    (documented, "serai/xds/x.py", '"""X."""\ndef f(): pass\n'),
    (documented, "serai/xds/x.py", '"""X."""\nclass A:\n  """A."""\n  def f(self): pass\n'),
    (telling_names, "serai/xds/utils.py", ""),
    (telling_names, "serai/common/x.py", ""),
    (no_io_in_the_core, "serai/model/x.py", "def f(): print('x')"),
    (no_io_in_the_core, "serai/model/x.py", "from pathlib import Path\nPath('x').read_text()"),
    (no_clock_in_the_core, "serai/model/x.py", "from datetime import datetime\ndatetime.now()"),
    (no_edges_in_the_core, "serai/model/__init__.py", "import asyncio.events"),
    (no_edges_in_the_core, "serai/xds/x.py", "def f():\n    from os import path"),
    (no_changing_globals, "serai/cli/x.py", "def f():\n    global x"),
    (reasoned_suppressions, "serai/xds/x.py", "x = 1  # type: " + "ignore"),
    (reasoned_suppressions, "serai/xds/x.py", "x = 1  # " + "noqa"),
]

RULES = list(dict.fromkeys(rule for rule, _, _ in BREACHES))


def named(value: object) -> str | None:
    """A rule's own name, for the name of the test."""
    return getattr(value, "__name__", None)


@pytest.mark.parametrize("rule", RULES, ids=named)
def test_serai_keeps(rule: Rule) -> None:
    breaches = [said for module in modules() for said in rule(module)]

    assert not breaches, "\n" + "\n".join(breaches)


@pytest.mark.parametrize(("rule", "path", "text"), BREACHES, ids=named)
def test_a_breach_is_found(rule: Rule, path: str, text: str) -> None:
    assert list(rule(Module(Path(path), text)))


def test_what_is_allowed_is_not_a_breach() -> None:
    edge = '"""X."""\nimport asyncio\n\n\ndef _f() -> None:\n    print(asyncio)  # noqa: T201\n'

    assert [said for rule in RULES for said in rule(Module(Path("serai/cli/x.py"), edge))] == []
