"""The states of an identity: the table of RNIV, written here by hand, against the one that the code derives."""

from __future__ import annotations

import re
from itertools import product
from pathlib import Path

import pytest

from gateway.identity.status import (
    TRANSITIONS,
    IdentityEvent,
    Proof,
    check_attributes,
    may_call_insi,
    move,
)
from gateway.records.people import IdentityAttribute, IdentityStatus

S, E, A = IdentityStatus, IdentityEvent, IdentityAttribute
PROV, RECUP, VALI, QUAL = S.PROVISOIRE, S.RECUPEREE, S.VALIDEE, S.QUALIFIEE

EXPECTED = {
    E.RETRIEVED: {PROV: RECUP, RECUP: RECUP, VALI: QUAL, QUAL: QUAL},
    E.PROVEN: {PROV: VALI, RECUP: QUAL, VALI: VALI, QUAL: QUAL},
    E.REFUSED: {PROV: PROV, RECUP: PROV, VALI: VALI, QUAL: VALI},
    E.TRAITS_CHANGED: dict.fromkeys(S, PROV),
    E.DOUBTED: dict.fromkeys(S, PROV),
    E.SCANNED: {status: status for status in S},
}


def test_every_state_and_event_lead_where_the_referential_says() -> None:
    assert {(state, event): EXPECTED[event][state] for event, state in product(E, S)} == dict(TRANSITIONS)


@pytest.mark.parametrize("before", list(S))
def test_a_proof_needs_its_kind_and_its_person(before: IdentityStatus) -> None:
    for proof in Proof:
        moved = move(before, E.PROVEN, proof=proof, by="Mme Essai")
        assert (moved.allowed, moved.after) == (True, EXPECTED[E.PROVEN][before])
    for proof_code, by, code in [
        (None, "Mme Essai", "INS-035"),
        ("CV", "Mme Essai", "INS-035"),  # a carte Vitale proves no identity
        ("PC", "Mme Essai", "INS-035"),
        ("CN", None, "INS-036"),
        ("CN", "  ", "INS-036"),
    ]:
        moved = move(before, E.PROVEN, proof=proof_code, by=by)
        assert [f.code for f in moved.findings] == [code]
        assert moved.after is before


@pytest.mark.parametrize("attribute", [A.DOUTEUSE, A.FICTIVE])
def test_in_doubt_insi_is_not_called_and_nothing_is_validated(attribute: IdentityAttribute) -> None:
    assert [f.code for f in may_call_insi([attribute])] == ["INS-032"]
    assert [f.code for f in move(PROV, E.RETRIEVED, [attribute]).findings] == ["INS-032"]
    assert [f.code for f in move(PROV, E.PROVEN, [attribute], proof="CN", by="X").findings] == ["INS-034"]
    assert move(PROV, E.RETRIEVED, [attribute]).after is PROV


def test_a_homonym_blocks_nothing() -> None:
    assert may_call_insi([A.HOMONYME]) == []
    assert move(VALI, E.RETRIEVED, [A.HOMONYME]).after is QUAL
    assert move(RECUP, E.PROVEN, [A.HOMONYME], proof="PA", by="X").after is QUAL


def test_doubtful_and_made_up_exclude_each_other() -> None:
    assert [f.code for f in check_attributes([A.DOUTEUSE, A.FICTIVE])] == ["INS-033"]
    assert check_attributes([A.DOUTEUSE, A.HOMONYME]) == check_attributes([]) == []


def test_the_page_shows_this_very_table() -> None:
    page = (Path(__file__).resolve().parents[3] / "docs" / "ins.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `(\w+)` \|[^|]*\| (\w+) \| (\w+) \| (\w+) \| (\w+) \|$", page, re.MULTILINE)
    shown = {
        (S(state), E(row[0])): S(row[1 + i])
        for row in rows
        for i, state in enumerate(["PROV", "RECUP", "VALI", "QUAL"])
    }
    assert shown == dict(TRANSITIONS)
