"""The outside checkers of tests/conftest.py accept what is right and see what is wrong."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest


@pytest.mark.slow
def test_kitcheck_passes_the_examples_and_sees_a_fault(kitcheck: Callable[[bytes], list[Any]], shared: Path) -> None:
    example = (shared / "examples" / "kine_bilan_n3.xml").read_bytes()
    assert kitcheck(example) == []
    assert example.count(b"<title>") > 0
    assert kitcheck(example.replace(b"<title>", b"<titel>").replace(b"</title>", b"</titel>")) != []
    assert kitcheck(b"<not-xml") != []


@pytest.mark.slow
def test_fhircheck_sees_a_fault(fhircheck: Callable[..., list[dict[str, Any]]]) -> None:
    patient = {"resourceType": "Patient", "gender": "female"}
    assert fhircheck(json.dumps(patient).encode()) == []
    assert fhircheck(json.dumps(patient | {"gender": "F"}).encode()) != []
    assert fhircheck(json.dumps(patient | {"colour": "red"}).encode()) != []


@pytest.mark.slow
def test_preflight_tells_archival_pdf_from_plain_pdf(preflight: Callable[[bytes], list[str]]) -> None:
    typst = pytest.importorskip("typst")
    source = (
        b'#set document(title: "t", date: datetime(year: 2026, month: 1, day: 1))\n'
        b"#set heading(bookmarked: false)\n= Titre\nTexte"
    )
    assert preflight(typst.compile(source, format="pdf", pdf_standards=["a-1b"])) == []
    assert preflight(typst.compile(source, format="pdf")) != []
