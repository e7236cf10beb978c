"""The page of indicators: PDF/A-1b by Apache PDFBox Preflight, one page whatever it has to show, same bytes twice."""

from __future__ import annotations

import io
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pypdf
import pytest

from gateway.audit import protocols
from gateway.audit.indicators import Basis, Coverage, Indicators, words
from gateway.audit.ledger import Ledger, Mark
from gateway.audit.page import view
from gateway.audit.period import parse
from gateway.audit.protocols import ProtocolRow
from gateway.findings import error
from gateway.render.pdf.indicators import render

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
Preflight = Callable[[bytes], list[str]]


def indicators(period: str, count: int | None, motives: int, **changes: Any) -> Indicators:
    asked = parse(period)
    codes = [one["code"] for one in words()["figure"]]
    values: dict[str, Any] = {
        "period": asked,
        "account": "cabinet-au-nom-vraiment-tres-long-pour-une-seule-ligne-de-page",
        "mark": Mark(("note",), 1_234_567, ("ab" * 32,)),
        "threshold": 5,
        "kines": 12_345,
        "patients": count,
        "episodes": count,
        "motives": {f"CIM-10:Z{number:02d}.{number}": count for number in range(motives)},
        "sessions": count,
        "sessions_mean": None if count is None else Decimal("12.3"),
        "sessions_by_month": dict.fromkeys(asked.months(), count),
        "sessions_by_episode": {str(number): count for number in range(10)},
        "dmps": count,
        "dmp_documents": count,
        "adverse": count,
        "adverse_by_severity": {"legere": count, "moderee": count, "grave": count},
        "reoriented": count,
        "reoriented_share": None if count is None else Decimal("99.9"),
        "open_episodes": count,
        "unestablished": count,
        "coverage": {code: Coverage(7, 9) for code in codes},
        "findings": (error("IND-003", "", ""),),
    }
    return Indicators(**(values | changes))


CASES = {
    "empty": indicators("2026-01", 0, 0, account=None, threshold=0, findings=()),
    "full": indicators("2026", 987_654, 40),
    "hidden": indicators("2026-Q1", None, 40),
    "years": indicators("1990-01-01..2026-12-31", 3, 3),
}


@pytest.mark.parametrize("name", CASES)
def test_one_page(name: str, preflight: Preflight) -> None:
    made = render(view(CASES[name], NOW), NOW)
    assert preflight(made) == []
    assert len(pypdf.PdfReader(io.BytesIO(made)).pages) == 1
    assert render(view(CASES[name], NOW), NOW) == made


@pytest.mark.parametrize("number", [0, 8, 60])
def test_the_protocols_table(number: int, preflight: Preflight) -> None:
    counts = (12, None, None, 3, 1234, 0, 2, 40, 38)
    rows = [ProtocolRow(f"LOMBALGIE-AIGUE-{n}", f"2026-Q{n % 4 + 1}", *counts) for n in range(number)]
    basis = Basis(Ledger(Mark(("note",), 12, ("cd" * 32,))), (), (error("IND-003", "", ""),))
    made = render(protocols.view(rows, basis, parse("2026")), NOW, "protocols.typ")
    assert preflight(made) == []
    text = "".join(page.extract_text() for page in pypdf.PdfReader(io.BytesIO(made)).pages)
    assert text.count("LOMBALGIE-AIGUE-") == number
    assert ("Aucun épisode" in text) == (number == 0)
    assert "cdcdcdcdcdcdcdcd" in text


def test_the_page_says_what_it_was_computed_at() -> None:
    text = pypdf.PdfReader(io.BytesIO(render(view(CASES["full"], NOW), NOW))).pages[0].extract_text()
    assert "1234567" in text
    assert "abababababababab" in text
    assert "Autres motifs" in text
