"""The billing compared with the documents: reading any export, and what is missing."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from gateway.audit import billing, reconcile
from gateway.audit.billing import Act
from gateway.audit.reconcile import Known
from gateway.errors import InputError

HEAD = "Matricule;Date de l'acte;Mode d'accès;Lettre-clé;N° facture;Nom"
LINE = "201032227890155;06/10/2025;direct;RIM;F1;LE GOFF-ESSAI"


def text(*lines: str, head: str = HEAD) -> bytes:
    return "\r\n".join((head, *lines)).encode()


# ------------------------------------------------------------------------------------------------- reading


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp1252"])
@pytest.mark.parametrize("separator", [";", ",", "\t"])
def test_encodings_and_separators(encoding: str, separator: str) -> None:
    data = f"{HEAD}\n{LINE}\n".replace(";", separator).encode(encoding)
    [act] = billing.read(data).acts
    assert act == Act(2, "2010322278901", date(2025, 10, 6), True, "RIM", "F1", "LE GOFF-ESSAI")


@pytest.mark.parametrize(
    "written", ["06/10/2025", "2025-10-06", "06-10-2025", "06.10.2025", "20251006", "06/10/25", "06/10/2025 14:30"]
)
def test_dates(written: str) -> None:
    [act] = billing.read(text(f"X;{written};;;;")).acts
    assert act.day == date(2025, 10, 6)


@pytest.mark.parametrize(
    ("written", "key"),
    [
        ("201032227890155", "2010322278901"),
        ("2 01 03 22 278 901 55", "2010322278901"),
        ("2010322278901", "2010322278901"),
        ("1 85 05 2A 006 084 36", "185052A006084"),
        ("IPP-0001", "IPP-0001"),
        ("4213", "4213"),
    ],
)
def test_what_names_a_patient(written: str, key: str) -> None:
    assert billing.patient_key(written) == key


def test_headings_are_found_whatever_their_case_and_accents_or_given() -> None:
    found = billing.read(text("X;06/10/2025;oui", head="N° PATIENT;DATE SEANCE;Accès direct"))
    assert found.columns == {"patient": "N° PATIENT", "date": "DATE SEANCE", "mode": "Accès direct"}
    given = billing.read(text("06/10/2025;X;Y", head="jour;a;b"), {"patient": "B", "date": "Jour"})
    assert [(one.patient, one.direct) for one in given.acts] == [("Y", None)]


@pytest.mark.parametrize(
    ("data", "columns", "code"),
    [
        (b"", {}, "REC-001"),
        (b"PK\x03\x04\x00\x00", {}, "REC-001"),
        (b"one column\n1\n", {}, "REC-001"),
        (text("X;06/10/2025", head="qui;quand"), {}, "REC-002"),
        (text("X;06/10/2025", head="Matricule;quand"), {}, "REC-002"),
        (text(LINE), {"date": "jour"}, "REC-003"),
    ],
)
def test_what_cannot_be_read_says_what_to_do(data: bytes, columns: dict[str, str], code: str) -> None:
    with pytest.raises(InputError) as refused:
        billing.read(data, columns)
    [finding] = refused.value.findings
    assert finding.code == code
    assert finding.advice


def test_a_bad_line_is_told_and_hides_no_other() -> None:
    found = billing.read(text(LINE, "X;31/02/2025;;;;", ";06/10/2025;;;;", ";;;;;", LINE))
    assert [one.number for one in found.acts] == [2, 6]
    assert [(one.code, one.path) for one in found.findings] == [("REC-004", "/3"), ("REC-004", "/4")]


# ----------------------------------------------------------------------------------------------- comparing

START = date(2025, 10, 6)


def act(day: date, number: int = 2, patient: str = "P", direct: bool | None = True) -> Act:
    return Act(number, patient, day, direct)


def paper(kind: str = "assessment", **more: Any) -> Known:
    values: dict[str, Any] = {"mode": "direct_cpts", "start": START, "last": START, **more}
    return Known("d", kind, **values)


REPORT = paper("treatment_summary", last=date(2025, 10, 30), closing=True)


def gaps(acts: list[Act], *papers: Known, today: date = date(2026, 6, 1)) -> list[tuple[str, int]]:
    found, _ = reconcile.compare(acts, {"P": papers}, months=3, today=today)
    return [(one.gap, len(one.acts)) for one in found]


DAYS = [act(date(2025, 10, 6), 2), act(date(2025, 10, 13), 3), act(date(2025, 10, 30), 4)]


def test_what_is_documented_is_not_missing() -> None:
    assert gaps(DAYS, paper(), REPORT) == []


def test_an_episode_without_document_assessment_or_report() -> None:
    assert gaps(DAYS) == [("no_document", 3)]
    assert gaps(DAYS, REPORT) == [("no_assessment", 3)]
    assert gaps(DAYS, paper()) == [("no_report", 3)]


@pytest.mark.parametrize(("today", "late"), [("2026-01-06", False), ("2026-01-07", True)])
def test_a_report_is_missing_only_when_the_episode_is_over(today: str, *, late: bool) -> None:
    assert bool(gaps(DAYS, paper(), today=date.fromisoformat(today))) is late


def test_sessions_that_no_report_speaks_of() -> None:
    after = act(date(2025, 10, 31), 5)
    assert gaps([*DAYS, after], paper(), REPORT) == [("not_covered", 1)]
    listed = paper(
        "treatment_summary", last=date(2025, 10, 30), closing=True, days=frozenset({DAYS[0].day, DAYS[2].day})
    )
    assert gaps(DAYS, paper(), listed) == [("not_covered", 1)]


def test_two_episodes_are_told_apart() -> None:
    later = [act(date(2026, 2, 2), 6), act(date(2026, 2, 9), 7)]
    assert gaps([*DAYS, *later], paper(), REPORT) == [("no_document", 2)]
    second = paper(start=date(2026, 2, 2), last=date(2026, 2, 2))
    assert gaps([*DAYS, *later], paper(), REPORT, second, today=date(2026, 3, 1)) == []


def test_care_on_prescription_is_left_alone() -> None:
    assert gaps([act(START, direct=False)]) == []
    assert gaps([act(START)], paper(mode="prescription")) == [("no_document", 1)]


def test_a_file_that_does_not_say_how_patients_came() -> None:
    unsaid = [act(one.day, one.number, direct=None) for one in DAYS]
    assert gaps(unsaid, paper()) == [("no_report", 3)]  # a document says that it was direct access
    found, totals = reconcile.compare(unsaid, {}, months=3, today=date(2026, 6, 1))
    assert found == []
    assert (totals.unknown_mode, totals.direct, totals.lines) == (3, 0, 3)


def test_totals() -> None:
    acts = [*DAYS, act(START, 5, "Q"), act(START, 6, "R", direct=False)]
    found, totals = reconcile.compare(acts, {"P": [paper(), REPORT]}, months=3, today=date(2026, 6, 1))
    assert [(one.patient, one.gap) for one in found] == [("Q", "no_document")]
    assert (totals.lines, totals.direct, totals.patients, totals.episodes, totals.covered) == (5, 4, 3, 2, 1)
