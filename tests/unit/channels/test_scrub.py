from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.channels.scrub import MAX_TEXT, scrub


@pytest.mark.parametrize(
    "text",
    [
        "<201032227890155@patient.mssante.fr>: User unknown",
        "mailbox 201032227890155 not found",
        "mailbox 2 01 03 22 278 901 55 not found",
        "né 1 85 07 2A 004 123 07 en Corse",
        "185072B004123",
        "Recipient address rejected: helene.modele@medecin.mssante.fr",
        "patient born 14/03/2001",
        "birthTime 20010314",
        "RPPS 899700001011",
    ],
)
def test_identity_is_gone(text: str) -> None:
    clean = scrub(text)
    for secret in ("2010322278901", "01 03 22", "85 07", "185072B", "helene", "14/03", "20010314", "@"):
        assert secret not in clean
    if "RPPS" in text:
        assert scrub(text, "899700001011") == "RPPS <identité>"


def test_codes_and_queue_ids_stay() -> None:
    text = "5.1.1 Recipient unknown (in reply to RCPT TO), queued as 4XyZ12, 552 5.3.4 25864297 > 26214400"
    assert scrub(text) == text


def test_known_words_whatever_their_case() -> None:
    assert scrub("Patient DUPONT inconnu (dupont)", "Dupont", "x") == "Patient <identité> inconnu (<identité>)"


def test_one_bounded_line() -> None:
    assert scrub("a\r\nb\x00c") == "a b c"
    assert len(scrub("x " * 1000)) == MAX_TEXT


@given(st.text(), st.lists(st.text(max_size=20), max_size=3))
def test_any_text(text: str, known: list[str]) -> None:
    clean = scrub(text, *known)
    assert len(clean) <= MAX_TEXT
    assert "\n" not in clean
    assert clean.encode().decode() == clean
