"""PDF rendering against the bare compiler: the same prepared source, the same kept typst.Compiler."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any

import pytest

from gateway import resources, terminology
from gateway.document.model import ClinicalDocument
from gateway.render.pdf import render
from gateway.render.pdf.compiler import view
from tests.unit.render_samples import assessment

BUDGET = 1.5
ROUNDS = 40


def milliseconds(work: Callable[[], object]) -> float:
    start = perf_counter()
    work()
    return (perf_counter() - start) * 1000


def variant(number: int) -> ClinicalDocument:
    """A document never seen before: the compiler remembers what it has set already."""
    document = assessment()
    patient = replace(document.header.patient, used_given=f"Prénom{number}")
    return replace(document, header=replace(document.header, patient=patient, author_document_id=f"BDK-{number}"))


@pytest.mark.bench
def test_pdf_rendering_costs_little_more_than_typesetting(root: Path) -> None:
    import typst

    terms = terminology.load()
    template = resources.data_path("mappings", "pdf", "document.typ")
    compiler = typst.Compiler(template, root=template.parent, ignore_system_fonts=True)

    def bare(source: str, document: ClinicalDocument) -> object:
        written = document.header.effective_time
        inputs = {"document": source}
        return compiler.compile(format="pdf", sys_inputs=inputs, pdf_standards="a-1b", timestamp=written, pdf_tags=True)

    def prepared(document: ClinicalDocument) -> str:
        return json.dumps(view(document, terms), ensure_ascii=False)

    bare(prepared(variant(-1)), variant(-1))
    render(variant(-2), terms)
    pairs = []
    for number in range(ROUNDS):
        first, second = variant(2 * number), variant(2 * number + 1)
        source = prepared(first)
        pairs.append((milliseconds(lambda: bare(source, first)), milliseconds(lambda: render(second, terms))))  # noqa: B023
    least, spent = median(pair[0] for pair in pairs), median(pair[1] for pair in pairs)
    made = render(assessment(), terms)
    result = {
        "bare_compile_ms": round(least, 3),
        "render_ms": round(spent, 3),
        "ratio": round(spent / least, 3),
        "budget": BUDGET,
        "bytes": len(made),
    }
    write(root, "pdf", result)
    assert result["ratio"] <= BUDGET


def write(root: Path, name: str, result: dict[str, Any]) -> None:
    folder = root / "build" / "bench"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.json").write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    print(name, result)
