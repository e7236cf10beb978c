"""Which box to write to: the rules of spec mssante §5, one by one."""

from __future__ import annotations

import datetime as dt

import pytest

from gateway.channels.annuaire.choice import choose, recheck, stale
from gateway.channels.annuaire.model import Box, Found, Source, State, Verdict
from tests.unit.annuaire.samples import NOW, RPPS, TRUST, box, found

HERE, THERE = "1990000001", "1990000002"
ONE, TWO = "un@medecin.mssante.example", "deux@medecin.mssante.example"


def test_the_only_box_is_the_one() -> None:
    choice = choose(found(box(ONE)), RPPS, TRUST)
    assert (choice.verdict, choice.code) == (Verdict.ONE, "ANN-200")
    assert choice.box is not None
    assert choice.box.address == ONE
    assert choice.source is Source.API
    assert choice.at == NOW
    assert "22/11/2026" in choice.why


def test_several_distinct_boxes_are_a_question_even_when_one_is_preferred() -> None:
    choice = choose(found(box(TWO, rank=2), box(ONE, rank=1)), RPPS, TRUST)
    assert choice.verdict is Verdict.ASK
    assert choice.box is None
    assert [b.address for b in choice.boxes] == [ONE, TWO]


def test_personal_boxes_are_offered_before_those_of_the_practice() -> None:
    choice = choose(found(box(TWO, "CAB"), box(ONE)), RPPS, TRUST)
    assert choice.verdict is Verdict.ASK
    assert [b.address for b in choice.boxes] == [ONE, TWO]


def test_one_address_listed_twice_is_one_box() -> None:
    choice = choose(found(box(ONE, structure=HERE), box(ONE.upper(), structure=THERE)), RPPS, TRUST)
    assert choice.verdict is Verdict.ONE


@pytest.mark.parametrize("structure", [HERE, HERE[1:]])
def test_the_box_of_the_known_structure_wins(structure: str) -> None:
    """The daily file may leave out the prefix of Struct_IdNat."""
    choice = choose(found(box(TWO), box(ONE, structure=structure)), RPPS, TRUST, HERE)
    assert choice.verdict is Verdict.ONE
    assert choice.box is not None
    assert choice.box.address == ONE


def test_two_boxes_in_the_known_structure_are_a_question() -> None:
    choice = choose(found(box(ONE, structure=HERE), box(TWO, "CAB", HERE)), RPPS, TRUST, HERE)
    assert choice.verdict is Verdict.ASK


def test_elsewhere_the_box_of_the_person_serves() -> None:
    choice = choose(found(box(TWO, structure=THERE), box(ONE)), RPPS, TRUST, HERE)
    assert choice.box is not None
    assert choice.box.address == ONE


def test_a_shared_box_of_another_place_must_be_confirmed() -> None:
    choice = choose(found(box(ONE, "CAB", THERE)), RPPS, TRUST, HERE)
    assert (choice.verdict, choice.code) == (Verdict.ASK, "ANN-205")
    personal = choose(found(box(ONE, "PER", THERE)), RPPS, TRUST, HERE)
    assert personal.verdict is Verdict.ONE


def test_nothing_outside_the_trust_space_is_offered() -> None:
    outside = box("dr@hors-espace.example")
    assert choose(found(outside, box(ONE)), RPPS, TRUST).verdict is Verdict.ONE
    choice = choose(found(outside), RPPS, TRUST)
    assert (choice.verdict, choice.code, choice.boxes) == (Verdict.NONE, "ANN-203", ())


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (found(), "ANN-202"),
        (Found((), Source.API, NOW), "ANN-201"),
        (Found((), Source.FILE, NOW), "ANN-206"),
        (found(box(ONE), rpps="99700000001"), "ANN-201"),
    ],
)
def test_no_box_is_said_as_such(answer: Found, code: str) -> None:
    choice = choose(answer, RPPS, TRUST)
    assert (choice.verdict, choice.code, choice.box) == (Verdict.NONE, code, None)


def test_a_list_that_lacks_somebody_says_nothing_of_his_activity() -> None:
    assert "activité" in choose(Found((), Source.API, NOW), RPPS, TRUST).why
    assert "activité" not in choose(Found((), Source.FILE, NOW), RPPS, TRUST).why


OLD = "ancienne@medecin.mssante.example"


@pytest.mark.parametrize(
    ("boxes", "state", "new"),
    [
        ([box(OLD)], State.SAME, None),
        ([box(OLD.upper()), box(ONE)], State.SAME, None),
        ([box(ONE)], State.CHANGED, ONE),
        ([], State.GONE, None),
        ([box(ONE), box(TWO)], State.ASK, None),
        ([box("dr@hors-espace.example")], State.GONE, None),
    ],
)
def test_recheck_of_a_refused_address(boxes: list[Box], state: State, new: str | None) -> None:
    result = recheck(choose(found(*boxes), RPPS, TRUST), OLD, TRUST)
    assert result.state is state
    assert (result.new.address if result.new else None) == new
    assert result.why


def test_recheck_without_answer_is_unknown() -> None:
    assert recheck(stale("ANN-304", "rien"), OLD, TRUST).state is State.UNKNOWN


def test_a_list_older_than_the_refusal_proves_nothing() -> None:
    answer = choose(found(box(ONE), source=Source.FILE), RPPS, TRUST)
    later = NOW + dt.timedelta(hours=1)
    assert recheck(answer, OLD, TRUST, since=later).state is State.UNKNOWN
    assert recheck(answer, OLD, TRUST, since=NOW - dt.timedelta(hours=1)).state is State.CHANGED
