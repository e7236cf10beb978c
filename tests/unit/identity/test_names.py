"""Names as INSi takes them: every letter of the civil record kept, nothing guessed."""

from __future__ import annotations

import pytest

from gateway.findings import Severity
from gateway.identity.names import PATTERN, insi_name, same_name


@pytest.mark.parametrize("name", ["DUPONT", "LE GOFF", "D'ARTAGNAN", "SAINT-EXUPERY", "GARCIA--LOPEZ", "O"])
def test_a_name_in_the_service_s_form_is_left_alone(name: str) -> None:
    found = insi_name(name, "/x")
    assert (found.text, found.findings) == (name, ())


@pytest.mark.parametrize(
    ("written", "sent"),
    [
        ("Lefèvre", "LEFEVRE"),
        ("Françoise", "FRANCOISE"),
        ("Cœur", "COEUR"),
        ("Lætitia", "LAETITIA"),
        ("Straße", "STRASSE"),
        ("Ørsted", "ORSTED"),
        ("Đorđe", "DORDE"),
        ("Łukasz", "LUKASZ"),
        ("Nuñez", "NUNEZ"),
        ("Zoe\u0308", "ZOE"),
        ("d’Artagnan", "D'ARTAGNAN"),
        ("d' Artagnan", "D'ARTAGNAN"),
        ("Jean – Paul", "JEAN-PAUL"),
        ("Jean\u2010Paul", "JEAN-PAUL"),
        ("  Le\u00a0 Goff ", "LE GOFF"),
        ("garcia -- lopez", "GARCIA--LOPEZ"),
    ],
)
def test_accents_ligatures_and_marks_are_rewritten_and_it_says_so(written: str, sent: str) -> None:
    found = insi_name(written, "/patient/birth_family")
    assert found.text == sent
    assert [(f.code, f.severity, f.path) for f in found.findings] == [
        ("INS-030", Severity.INFO, "/patient/birth_family")
    ]


@pytest.mark.parametrize(
    ("written", "why"),
    [
        ("", "vide"),
        ("   ", "vide"),
        ("Dupont 2", "chiffre"),
        ("Dupont²", "chiffre"),
        ("Дурова", "autre écriture"),
        ("Λούκας", "autre écriture"),
        ("St. Martin", "ni tiret"),
        ("Dupont, Jean", "ni tiret"),
        ("Dupont/Durand", "ni tiret"),
        ("-Dupont", "commence ou finit"),
        ("Dupont-", "commence ou finit"),
        ("'Essai", "commence ou finit"),
        ("A---B", "se suivent"),
        ("A - - B", "se suivent"),
        ("A''B", "se suivent"),
        ("A-'B", "se suivent"),
    ],
)
def test_what_cannot_be_said_is_a_finding_and_never_a_name(written: str, why: str) -> None:
    found = insi_name(written, "/x")
    assert found.text is None
    [finding] = found.findings
    assert (finding.code, finding.severity) == ("INS-031", Severity.ERROR)
    assert why in finding.message
    for word in written.split():
        assert len(word) < 3 or word not in finding.message + finding.advice, "a finding repeats no trait"


def test_marks_count_as_the_same_when_names_are_compared() -> None:
    assert same_name("LE GOFF-ESSAI", "Le Goff Essai")
    assert same_name("D'ARC", "D ARC")
    assert not same_name("LE GOFF", "LEGOFF")
    assert not same_name("MARIE", "MARIE ANNE")


def test_the_pattern_is_the_one_of_the_service() -> None:
    assert PATTERN.fullmatch("A--B C'D")
    for wrong in ("a", "A B ", " A", "A  B", "A--", "É"):
        assert not PATTERN.fullmatch(wrong)
