"""How the code is laid out: what can be found from the tree alone, and the words that name it."""

from __future__ import annotations

import ast
import re
import tomllib
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

import tui

ROOT = Path(tui.__file__).parents[1]
TUI = ROOT / "tui"
FILES = sorted(TUI.rglob("*.py"))
MOST_LINES = 450
MOST_BESIDE = 4
STRANGE = {"told", "tell", "sight", "spell", "desk", "hasten", "standing", "keeping"}
STRANGE |= {"chance", "ledger", "hands", "edition", "spoilt", "unstartable"}
_PART = re.compile(r"[A-Z]+(?=[A-Z][a-z])|[A-Z]?[a-z]+|[A-Z]+")


def test_the_program_stands_on_four_packages() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    names = [re.split(r"[^a-z-]", each)[0] for each in project["dependencies"]]
    assert sorted(names) == ["msgspec", "pydantic-settings", "textual", "websockets"]


def test_the_top_holds_folders_and_hardly_a_file() -> None:
    beside = [path.name for path in TUI.iterdir() if path.is_file()]
    assert len(beside) <= MOST_BESIDE, beside


def test_no_file_has_two_ideas() -> None:
    lengths = {str(path.relative_to(ROOT)): len(path.read_text().splitlines()) for path in FILES}
    assert {name: length for name, length in lengths.items() if length > MOST_LINES} == {}


def module_of(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def at_import(tree: ast.AST) -> Iterator[ast.stmt]:
    """The imports that run when a module is imported: those in functions and for types do not."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            yield node
        is_for_types = isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test)
        if not isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) and not is_for_types:
            yield from at_import(node)


def test_no_modules_import_one_another_in_a_circle() -> None:
    modules = {module_of(path): path for path in FILES}
    graph: dict[str, set[str]] = {}
    for name, path in modules.items():
        found = graph.setdefault(name, set())
        for node in at_import(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                found |= {alias.name for alias in node.names} & modules.keys()
            elif isinstance(node, ast.ImportFrom) and node.module is not None and node.level == 0:
                of_it = {f"{node.module}.{alias.name}" for alias in node.names} & modules.keys()
                found |= of_it or {node.module} & modules.keys()
        found.discard(name)
    assert list(TopologicalSorter(graph).static_order())


class Names(ast.NodeVisitor):
    """Every identifier that a module defines, each with whether it is a field or a method."""

    def __init__(self) -> None:
        self.all: set[str] = set()
        self.fields: set[str] = set()
        self.methods: set[str] = set()

    def visit_ClassDef(self, node: ast.ClassDef) -> None:
        self.all.add(node.name)
        for each in node.body:
            if isinstance(each, ast.AnnAssign) and isinstance(each.target, ast.Name):
                self.fields.add(each.target.id)
            if isinstance(each, (ast.FunctionDef, ast.AsyncFunctionDef)):
                self.methods.add(each.name)
        self.generic_visit(node)

    def visit_FunctionDef(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        self.all.add(node.name)
        self.generic_visit(node)

    visit_AsyncFunctionDef = visit_FunctionDef  # noqa: N815  # the name is ast's

    def visit_arg(self, node: ast.arg) -> None:
        self.all.add(node.arg)

    def visit_Name(self, node: ast.Name) -> None:
        if isinstance(node.ctx, ast.Store):
            self.all.add(node.id)

    def visit_Attribute(self, node: ast.Attribute) -> None:
        if isinstance(node.ctx, ast.Store):
            self.all.add(node.attr)
            self.fields.add(node.attr)
        self.generic_visit(node)


@pytest.mark.parametrize("folder", ["tui", "widgets"])
def test_names_are_the_words_that_others_search_for(folder: str) -> None:
    found = set()
    for path in sorted((ROOT / folder).rglob("*.py")):
        names = Names()
        names.visit(ast.parse(path.read_text()))
        strange = {name for name in names.all if {part.lower() for part in _PART.findall(name)} & STRANGE}
        strange |= {name for name in names.fields if name.strip("_") == "words"}
        strange |= {name for name in names.methods if name.strip("_") == "look"}
        found |= {f"{module_of(path)}: {name}" for name in strange}
        if set(path.stem.split("_")) & STRANGE:
            found.add(str(path))
    assert found == set()
