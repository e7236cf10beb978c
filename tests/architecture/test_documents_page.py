"""docs/documents.md is what mappings/ and the records say, and no field of a record is without a section."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest


@pytest.fixture(scope="module")
def tool(root: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location("documents_page", root / "tests" / "tools" / "documents_page.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_page_is_what_the_tables_say(tool: ModuleType, root: Path) -> None:
    committed = (root / "docs" / "documents.md").read_text(encoding="utf-8")
    assert committed == tool.page(), "rewrite it: python tests/tools/documents_page.py > docs/documents.md"


@pytest.mark.parametrize("kind", ["assessment", "treatment_summary", "reorientation_letter", "prescriber_information"])
def test_every_field_of_a_record_stands_in_a_section(tool: ModuleType, kind: str) -> None:
    fields = tool.fields_of(kind)
    assert fields - tool.claimed(kind) - set(tool.LEFT_OUT) == set()
    assert len(fields) > 15


def test_no_section_names_a_field_that_no_record_has(tool: ModuleType) -> None:
    known = set().union(*(tool.fields_of(kind) for kind in tool.MODELS))
    for kind in tool.MODELS:
        assert tool.claimed(kind) <= known
