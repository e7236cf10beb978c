"""PDF/A-1b: every document of every fixture passes Apache PDFBox Preflight, and so do the awkward ones."""

from __future__ import annotations

import io
from collections.abc import Callable

import pikepdf
import pypdf
import pytest

from gateway import terminology
from gateway.render.pdf import render
from tests.conformance.test_cda_random import Draw
from tests.unit import render_samples
from tests.unit.fixture_cases import NAMES, prepared

Preflight = Callable[[bytes], list[str]]


@pytest.mark.parametrize("name", NAMES)
def test_fixture_documents(preflight: Preflight, name: str) -> None:
    assert preflight(prepared(name).renderings["pdf"]) == []


@pytest.mark.parametrize("seed", range(6))
def test_whatever_the_model_can_say(preflight: Preflight, seed: int) -> None:
    assert preflight(render(Draw(seed).document(), terminology.load())) == []


@pytest.mark.parametrize("make", [render_samples.assessment, render_samples.summary], ids=["assessment", "summary"])
def test_documents_that_use_everything(preflight: Preflight, make: Callable[[], object]) -> None:
    assert preflight(render(make(), terminology.load())) == []  # type: ignore[arg-type]


def test_preflight_sees_a_fault(preflight: Preflight) -> None:
    with pikepdf.open(io.BytesIO(render(render_samples.assessment(), terminology.load()))) as pdf:
        del pdf.Root.Metadata
        broken = io.BytesIO()
        pdf.save(broken)
    assert preflight(broken.getvalue())


@pytest.mark.parametrize("name", NAMES)
def test_size_pages_and_first_page(name: str) -> None:
    data = prepared(name).renderings["pdf"]
    assert len(data) < 200_000
    pages = [page.extract_text() for page in pypdf.PdfReader(io.BytesIO(data)).pages]
    assert 2 <= len(pages) <= 8
    assert "Document complet" not in pages[0]
    assert pages[1].count("Document complet") == 1
    assert "[…]" not in pages[0], "a real document is told whole on its first page"
