"""Habits of DESIGN §7 as tests: small files, small functions, documented public names."""

from __future__ import annotations

import ast
import statistics
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[2] / "gateway"
MODULES = sorted(PACKAGE.rglob("*.py"))
MAX_FILE = 400
MAX_FUNCTION = 60

Function = ast.FunctionDef | ast.AsyncFunctionDef


def _name(path: Path) -> str:
    return str(path.relative_to(PACKAGE.parent))


def _functions(path: Path) -> Iterator[Function]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def _length(node: Function) -> int:
    assert node.end_lineno is not None
    return node.end_lineno - node.lineno + 1


def undocumented(tree: ast.Module) -> list[str]:
    """Public modules, classes, functions and methods without a docstring."""
    found = [] if ast.get_docstring(tree) or not tree.body else ["module"]
    todo: list[tuple[str, ast.AST]] = [("", tree)]
    while todo:
        prefix, parent = todo.pop()
        for node in ast.iter_child_nodes(parent):
            if isinstance(node, ast.If | ast.Try):
                todo.append((prefix, node))
            if not isinstance(node, ast.ClassDef | Function) or node.name.startswith("_"):
                continue
            if not ast.get_docstring(node):
                found.append(f"{prefix}{node.name}")
            if isinstance(node, ast.ClassDef):
                todo.append((f"{prefix}{node.name}.", node))
    return found


def test_there_is_something_to_look_at() -> None:
    assert len(MODULES) > 10


@pytest.mark.parametrize("path", MODULES, ids=_name)
def test_files_stay_small(path: Path) -> None:
    assert len(path.read_text(encoding="utf-8").splitlines()) <= MAX_FILE


@pytest.mark.parametrize("path", MODULES, ids=_name)
def test_functions_stay_small(path: Path) -> None:
    assert [f"{f.name}: {_length(f)} lines" for f in _functions(path) if _length(f) > MAX_FUNCTION] == []


def test_the_median_function_is_short() -> None:
    assert statistics.median(_length(f) for path in MODULES for f in _functions(path)) < 10


@pytest.mark.parametrize("path", MODULES, ids=_name)
def test_public_names_are_documented(path: Path) -> None:
    assert undocumented(ast.parse(path.read_text(encoding="utf-8"))) == []


def test_a_missing_docstring_is_seen() -> None:
    source = 'class A:\n    "x"\n    def b(self): ...\n    def _c(self): ...\nif 1:\n    def d(): ...\n'
    assert sorted(undocumented(ast.parse(source))) == ["A.b", "d", "module"]
