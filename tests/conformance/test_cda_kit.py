"""Every document of every fixture passes the official schemas and schematrons, without error nor warning."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from gateway import terminology
from gateway.document.build import DocumentIds, build
from gateway.document.model import ClinicalDocument
from gateway.findings import Severity
from gateway.records import submission
from gateway.render.cda import render
from gateway.settings import AccountSettings
from gateway.validate import preflight
from gateway.validate.kit import Kit
from tests.unit.render_cda import samples

KitCheck = Callable[[bytes], list[Any]]
CASES = sorted((Path(__file__).resolve().parents[2] / "fixtures" / "cases").glob("*.json"))
TERMS = terminology.load()


def built(case: Path) -> ClinicalDocument:
    parsed, refused = submission.parse(case.read_bytes())
    assert parsed is not None, refused
    account = AccountSettings(
        id=parsed.account,
        rpps=parsed.author.rpps,
        mailbox="kine@kine.mssante.example",
        display_name="M_Essai_KINE_Cabinet",
        oid_root="1.2.250.1.99999",
        nil="NIL-1",
    )
    ids = DocumentIds(id="2.25.111222333444555666777888999", set_id="2.25.222222333444555666777888999")
    return build(parsed, account, TERMS, ids=ids, software="kine-gateway")


DOCUMENTS: list[Callable[[], ClinicalDocument]] = [
    *(partial(built, case) for case in CASES),
    samples.full,
    samples.bare,
]
NAMES = [*(case.stem for case in CASES), "hand-made-full", "hand-made-bare"]
EACH = pytest.mark.parametrize("make", DOCUMENTS, ids=NAMES)


@pytest.fixture(scope="module")
def kit(shared: Path) -> Kit:
    return Kit(shared / "kit")


def test_there_are_fixtures() -> None:
    assert len(CASES) >= 6


@EACH
def test_the_reference_checker_finds_no_error(kitcheck: KitCheck, make: Callable[[], ClinicalDocument]) -> None:
    assert kitcheck(render(make(), TERMS)) == []


@EACH
def test_the_kit_has_not_even_a_warning(kit: Kit, make: Callable[[], ClinicalDocument]) -> None:
    assert kit.check(render(make(), TERMS)) == []


@EACH
def test_the_preflight_finds_no_error(make: Callable[[], ClinicalDocument]) -> None:
    findings = preflight.check(render(make(), TERMS), TERMS)
    assert [f for f in findings if f.severity is Severity.ERROR] == []
    assert {f.code for f in findings} <= {"CDA-011", "CDA-013", "CDA-024"}  # test INS; no INS; no médecin traitant
