from __future__ import annotations

from dataclasses import replace
from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.document.model import Code, Id, PersonName
from gateway.package import hl7
from tests.unit.package.samples import AUTHOR, PARIS, PATIENT, STRUCTURE

UNESCAPE = {"\\S\\": "^", "\\T\\": "&", "\\F\\": "|", "\\R\\": "~", "\\E\\": "\\"}


def unescape(text: str) -> str:
    """Written apart from the code under test: one pass over the escape sequences."""
    out, at = "", 0
    while at < len(text):
        token = text[at : at + 3]
        if token in UNESCAPE:
            out, at = out + UNESCAPE[token], at + 3
        else:
            out, at = out + text[at], at + 1
    return out


@given(st.text())
def test_escaped_text_has_no_delimiter_and_comes_back(text: str) -> None:
    escaped = hl7.escape(text)
    assert not set("^&|~") & set(escaped)
    assert unescape(escaped) == text


def test_a_name_cannot_forge_a_component() -> None:
    forged = replace(AUTHOR, name=PersonName("DUPONT^JEAN^^^^^^&1.2&ISO", "A&B"))
    parts = hl7.xcn(forged).split("^")
    assert len(parts) == 13
    assert unescape(parts[1]) == "DUPONT^JEAN^^^^^^&1.2&ISO"
    assert parts[8] == "&1.2.250.1.71.4.2.1&ISO"


def test_utc_changes_the_date() -> None:
    """The trap of spec mssante §2.5."""
    assert hl7.utc(datetime(2026, 11, 22, 0, 30, tzinfo=PARIS)) == "20261121233000"
    with pytest.raises(ValueError, match="offset"):
        hl7.utc(datetime(2026, 11, 22))  # noqa: DTZ001 - a naive time is what is refused


def test_person_and_institution() -> None:
    assert hl7.xcn(AUTHOR) == "899700001011^TESTOU^Gwenaël^^^^^^&1.2.250.1.71.4.2.1&ISO^D^^^IDNPS"
    assert hl7.xon(STRUCTURE) == ("Cabinet d'Épreuve \\T\\ Fils^^^^^&1.2.250.1.71.4.2.2&ISO^IDNST^^^499700001011001")


def test_patient_identifiers() -> None:
    assert hl7.patient_cx(PATIENT) == "201032227890155^^^&1.2.250.1.213.1.4.10&ISO^NH"
    assert hl7.source_cx(PATIENT) == "IPP-1^^^&1.2.250.1.999.1.1&ISO^PI"
    unqualified = replace(PATIENT, ins=None)
    assert hl7.patient_cx(unqualified) == "IPP-1^^^&1.2.250.1.999.1.1&ISO^PI"
    assert hl7.source_cx(replace(PATIENT, local_ids=())) == "201032227890155^^^&1.2.250.1.213.1.4.10&ISO^NH"
    assert hl7.patient_cx(replace(PATIENT, ins=None, local_ids=())) is None


def test_an_ins_among_the_local_ids_is_never_a_local_id() -> None:
    disguised = replace(PATIENT, local_ids=(Id("1.2.250.1.213.1.4.8", "1"), Id("1.2.3", "IPP-2")))
    assert hl7.source_cx(disguised) == "IPP-2^^^&1.2.3&ISO^PI"


def test_source_patient_info() -> None:
    assert hl7.patient_info(PATIENT) == (
        "PID-5|LE GOFF-ESSAI^MAELYS^ANNE^^^^L",
        "PID-5|Le Goff-Essai^Maëlys^^^^^D",
        "PID-7|20010314",
        "PID-8|F",
        "PID-11|^^^^^^BDL^^22278",
    )
    unknown = replace(PATIENT, used_family=None, used_given=None, birth_place_cog=None, sex=Code("UN", "x", "Inconnu"))
    assert hl7.patient_info(unknown)[1:] == ("PID-7|20010314", "PID-8|UN")


@pytest.mark.parametrize("letter", ["A", "é", "^", "\\"])
def test_no_value_is_longer_than_a_slot_may_be(letter: str) -> None:
    """The document carries the name whole; the metadata as much of it as 256 characters hold, escapes unbroken."""
    long = letter * 500
    named = replace(AUTHOR, name=PersonName(long, long, "M"))
    values = [
        hl7.xcn(named),
        hl7.xon(replace(STRUCTURE, name=long)),
        *hl7.patient_info(replace(PATIENT, birth_family=long, birth_given=(long, long), used_family=long)),
    ]
    assert all(len(value) <= hl7.MAX_SLOT for value in values)
    assert values[0].endswith("^^^^^^&1.2.250.1.71.4.2.1&ISO^D^^^IDNPS")
    assert values[1].endswith("^^^^^&1.2.250.1.71.4.2.2&ISO^IDNST^^^499700001011001")
    assert all(value.count("\\") % 2 == 0 for value in values)
    assert [value.count("^") for value in values[:2]] == [12, 9]
