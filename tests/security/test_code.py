"""What the code may never do, held by reading it: unpickle, evaluate text, use a shell, follow a redirect unasked."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
FILES = sorted((ROOT / "gateway").rglob("*.py"))
FORBIDDEN_MODULES = {"pickle", "cPickle", "dill", "marshal", "shelve", "jsonpickle", "telnetlib", "ftplib"}
FORBIDDEN_CALLS = {"eval", "exec", "compile", "__import__"}


def trees() -> Iterator[tuple[Path, ast.Module]]:
    for path in FILES:
        yield path, ast.parse(path.read_text(encoding="utf-8"))


def test_nothing_is_unpickled() -> None:
    for path, tree in trees():
        for node in ast.walk(tree):
            names = [a.name for a in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            assert not {name.split(".")[0] for name in names} & FORBIDDEN_MODULES, path


def test_no_text_is_run_as_code() -> None:
    for path, tree in trees():
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
                assert node.func.id not in FORBIDDEN_CALLS, f"{path}:{node.lineno}"


def test_no_shell_is_used() -> None:
    for path, tree in trees():
        for node in ast.walk(tree):
            if isinstance(node, ast.Call):
                shell = [k for k in node.keywords if k.arg == "shell"]
                assert not shell, f"{path}:{node.lineno}"
                if isinstance(node.func, ast.Attribute):
                    assert node.func.attr not in {"system", "popen"}, f"{path}:{node.lineno}"


@pytest.mark.parametrize("word", ["verify=False", "CERT_NONE", "check_hostname = False", "_create_unverified_context"])
def test_no_certificate_goes_unverified(word: str) -> None:
    found = [str(path.relative_to(ROOT)) for path in FILES if word in path.read_text(encoding="utf-8")]
    # The sandbox asks clients for certificates and checks them itself, to answer as the real services do.
    assert [path for path in found if not path.startswith("gateway/sandbox/")] == []


def test_xml_is_parsed_without_entities_or_network() -> None:
    for path in FILES:
        text = path.read_text(encoding="utf-8")
        if "XMLParser(" not in text:
            continue
        tree = ast.parse(text)
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and getattr(node.func, "attr", "") == "XMLParser":
                given = {k.arg: k.value for k in node.keywords}
                assert "resolve_entities" in given, f"{path}:{node.lineno}"
                assert "no_network" in given, f"{path}:{node.lineno}"


OURS = {
    "gateway/sandbox/dmp/td02.py": "what it just serialised itself",
    "gateway/validate/kit.py": "the schema of a kit that the user pinned; lxml lets nothing be fetched",
}
"""Files that parse XML without a parser of their own, and why that is not from outside."""


def test_xml_from_outside_always_has_a_parser_of_ours() -> None:
    bare = []
    for path, tree in trees():
        for node in ast.walk(tree):
            if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)):
                continue
            owner = node.func.value
            named = isinstance(owner, ast.Name) and owner.id == "etree"
            if named and node.func.attr in {"fromstring", "XML", "parse"} and len(node.args) + len(node.keywords) < 2:
                bare.append(str(path.relative_to(ROOT)))
    assert set(bare) == OURS.keys()
