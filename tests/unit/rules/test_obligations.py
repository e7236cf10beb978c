"""Obligations: who is owed what, by when, and what counts as a proof."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from gateway import resources
from gateway.errors import ConfigError
from gateway.records.access import AccessMode
from gateway.rules import duties, evidence, obligations
from gateway.rules.obligations import Obligation, assess, setting
from gateway.store.facts import Adverse, CareFacts, EpisodeFacts
from gateway.store.rows import DeliveryRow
from gateway.store.states import Receipt, Transport

ACCEPTED = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
DAY = date(2026, 3, 2)
SENT = Transport.SENT


def fact(kind: str = "assessment", name: str = "d1", **care: Any) -> EpisodeFacts:
    about: dict[str, Any] = {"mode": "direct_cpts", "episode_start": DAY, **care}
    facts = CareFacts(kind=kind, day=about.pop("day", DAY), **about)
    return EpisodeFacts(name, "cabinet", "patient", "episode", "author", facts, ACCEPTED, False, False, None, "")


def row(destination: str, state: Transport = SENT, receipt: Receipt = Receipt.NONE, **more: Any) -> DeliveryRow:
    channel = "dmp" if destination == "dmp" else "mssante"
    made: dict[str, Any] = {
        "id": f"{destination}-1",
        "document_id": "d1",
        "account": "cabinet",
        "destination": destination,
        "role": destination,
        "channel": channel,
        "priority": 0,
        "state": state,
        "receipt": receipt,
        "created_at": ACCEPTED,
        "changed_at": ACCEPTED + timedelta(hours=1),
    }
    empty = ("reason", "actor", "means", "handed_at", "due_at", "reference")
    values: dict[str, Any] = {**dict.fromkeys(empty), "attempts": 1, **made, **more}
    return DeliveryRow(**values)


def lines(*facts: EpisodeFacts, rows: tuple[DeliveryRow, ...] = (), hours: float = 1) -> list[Obligation]:
    by_document = {one.document_id: rows for one in facts}
    return assess(facts, by_document, setting(ACCEPTED + timedelta(hours=hours), 3))


def about(found: list[Obligation], document: str = "assessment") -> dict[str, str]:
    return {one.to: one.state for one in found if one.document == document}


def test_an_assessment_in_direct_access_is_due_to_three() -> None:
    found = lines(fact())
    assert about(found) == {"medecin_traitant": "due", "patient": "due", "dmp": "due"}
    assert {one.due_by for one in found if one.document == "assessment"} == {ACCEPTED + timedelta(hours=24)}
    assert {one.reason for one in found if one.document == "assessment"} == {"OBL-NO-DELIVERY"}


@pytest.mark.parametrize(("hours", "state"), [(23.9, "due"), (24, "due"), (24.01, "late")])
def test_it_is_late_after_twenty_four_hours(hours: float, state: str) -> None:
    pending = tuple(row(to, Transport.RETRY, reason="MSS-CONNECT") for to in ("medecin_traitant", "patient", "dmp"))
    found = lines(fact(), rows=pending, hours=hours)
    assert set(about(found).values()) == {state}
    assert all(one.open for one in found)


def test_each_proof_says_what_it_is() -> None:
    rows = (
        row("medecin_traitant", receipt=Receipt.DELIVERED),
        row("hand", Transport.HANDED_OVER, actor="Anne", means="hand", handed_at=ACCEPTED, channel="manual"),
        row("dmp", reference="2.25.1"),
    )
    found = {one.to: one.evidence for one in lines(fact(), rows=rows) if one.document == "assessment"}
    assert about(lines(fact(), rows=rows)) == dict.fromkeys(("medecin_traitant", "patient", "dmp"), "met")
    mail, hand, registry = found["medecin_traitant"], found["patient"], found["dmp"]
    assert mail is not None
    assert hand is not None
    assert registry is not None
    assert (mail.proof, mail.how) == ("electronic", "dsn")
    assert (hand.proof, hand.how, hand.by) == ("person", "hand", "Anne")
    assert (registry.proof, registry.how, registry.reference) == ("electronic", "registry", "2.25.1")


PROOFS: list[tuple[str, DeliveryRow, tuple[str, str] | None, str | None]] = [
    ("DSN", row("patient", receipt=Receipt.DELIVERED), ("electronic", "dsn"), None),
    ("MDN", row("patient", receipt=Receipt.PROCESSED), ("electronic", "mdn"), None),
    ("integrated", row("patient", receipt=Receipt.INTEGRATED), ("electronic", "integrated"), None),
    ("relayed", row("patient", receipt=Receipt.AWAITED), ("operator", "accepted"), None),
    ("awaited", row("patient", receipt=Receipt.AWAITED, awaited_until=ACCEPTED), None, "OBL-AWAITED"),
    ("overdue", row("patient", receipt=Receipt.OVERDUE, alerted_at=ACCEPTED), None, "OBL-OVERDUE"),
    ("overdue, called", row("patient", receipt=Receipt.OVERDUE), ("person", "call"), "OBL-OVERDUE"),
    (
        "refused, not answered",
        row("patient", receipt=Receipt.REFUSED, receipt_reason="MSS-RCPT-900", alerted_at=ACCEPTED),
        None,
        "MSS-RCPT-900",
    ),
    (
        "came back, and somebody called: nobody has it",
        row("patient", receipt=Receipt.REFUSED, receipt_reason="MSS-RCPT-5-1-1"),
        None,
        "MSS-RCPT-5-1-1",
    ),
    ("by hand", row("post", Transport.HANDED_OVER, means="post", actor="A"), ("person", "post"), None),
    ("a person's word", row("patient", reason="ENG-OPERATOR", actor="A"), ("person", "confirmed"), None),
    ("in doubt", row("patient", Transport.IN_DOUBT, reason="MSS-LOST"), None, "MSS-LOST"),
    ("cancelled", row("patient", Transport.CANCELLED, reason="ENG-OPERATOR"), None, "OBL-STOPPED"),
    ("prepared", row("patient", Transport.PREPARED), None, "OBL-UNDER-WAY"),
]


@pytest.mark.parametrize(("one", "proof", "reason"), [line[1:] for line in PROOFS], ids=[line[0] for line in PROOFS])
def test_what_a_delivery_proves(one: DeliveryRow, proof: tuple[str, str] | None, reason: str | None) -> None:
    found = evidence.to_reader([one], "patient")
    assert found is not None
    assert (None if found.evidence is None else (found.evidence.proof, found.evidence.how)) == proof
    assert found.reason == reason


@pytest.mark.parametrize("means", ["hand", "post", "sip"])
def test_a_persons_doing_is_never_electronically_proven(means: str) -> None:
    done = row(means, Transport.HANDED_OVER, Receipt.DELIVERED, means=means, actor="Anne", channel="manual")
    found = evidence.standing(done).evidence
    assert found is not None
    assert (found.proof, found.how, found.by) == ("person", means, "Anne")


@pytest.mark.parametrize(
    ("reason", "still_open"),
    [("DST-OPPOSITION", False), ("DST-NO-MT", False), ("DST-NO-BOX", True), ("DST-NO-INS", True)],
)
def test_what_cannot_be_sent_says_why(reason: str, *, still_open: bool) -> None:
    found = lines(fact(), rows=(row("medecin_traitant", Transport.IMPOSSIBLE, reason=reason),), hours=100)
    [one] = [one for one in found if one.to == "medecin_traitant" and one.document == "assessment"]
    assert (one.state, one.reason, one.open) == ("impossible", reason, still_open)


def test_an_awaited_receipt_is_waited_for_before_it_is_late() -> None:
    until = ACCEPTED + timedelta(hours=48)
    mail = row("medecin_traitant", receipt=Receipt.AWAITED, awaited_until=until)
    for hours, state in ((47.9, "due"), (48.1, "late")):
        [one] = [o for o in lines(fact(), rows=(mail,), hours=hours) if o.delivery_id]
        assert (one.state, one.due_by) == (state, until)


def test_the_last_of_linked_deliveries_counts() -> None:
    first = row("medecin_traitant", Transport.SUPERSEDED, id="one", succeeded_by="two")
    second = row("medecin_traitant", receipt=Receipt.DELIVERED, id="two")
    found = lines(fact(), rows=(first, second))
    assert about(found)["medecin_traitant"] == "met"
    assert next(one for one in found if one.to == "medecin_traitant").delivery_id == "two"


def test_what_a_withdrawal_sends_proves_nothing() -> None:
    retraction = row("medecin_traitant", receipt=Receipt.DELIVERED, purpose="retraction")
    assert about(lines(fact(), rows=(retraction,)))["medecin_traitant"] == "due"


# ---------------------------------------------------------------------------------- documents that are missing

CLOSING: dict[str, Any] = {"end_reason": "fin_de_traitement", "period_end": DAY}


@pytest.mark.parametrize(("day", "state"), [("2026-06-02", "due"), ("2026-06-03", "late")])
def test_the_report_is_due_when_the_episode_is_over(day: str, state: str) -> None:
    now = datetime.fromisoformat(f"{day}T12:00:00+00:00")
    found = assess([fact()], {}, setting(now, 3))
    missing = [one for one in found if one.document == "treatment_summary"]
    assert {one.state for one in missing} == {state}
    assert {one.to for one in missing} == {"medecin_traitant", "patient", "dmp"}
    assert all(one.document_id is None and one.reason == "OBL-NO-DOCUMENT" for one in missing)


def test_a_closing_report_ends_it_and_an_intermediate_one_does_not() -> None:
    closing = fact("treatment_summary", "d2", **CLOSING)
    midway = fact("treatment_summary", "d2", end_reason="bilan_intermediaire")
    assert not any(one.document_id is None for one in lines(fact(), closing))
    assert {one.document for one in lines(fact(), midway) if one.document_id is None} == {"treatment_summary"}


def test_a_report_without_its_assessment() -> None:
    found = [one for one in lines(fact("treatment_summary", **CLOSING), hours=48) if one.document_id is None]
    assert {(one.document, one.state) for one in found} == {("assessment", "late")}


def test_withdrawn_and_replaced_versions_do_not_count() -> None:
    old = replace(fact(name="d0"), replaced_by="d1")
    gone = replace(fact("treatment_summary", "d2", **CLOSING), withdrawn=True)
    found = lines(old, fact(), gone)
    assert {one.document_id for one in found} == {"d1", None}
    assert assess([gone], {}, setting(ACCEPTED, 3)) == []


def test_episodes_are_kept_apart() -> None:
    other = replace(fact("treatment_summary", "d2", **CLOSING), episode="other")
    found = lines(fact(), other, hours=48)
    assert {one.document for one in found if one.episode == "episode" and one.document_id is None} == {
        "treatment_summary"
    }
    assert {one.document for one in found if one.episode == "other" and one.document_id is None} == {"assessment"}


# ------------------------------------------------------------------------------------------- the other modes

MODES: list[tuple[str, str, dict[str, str]]] = [
    ("direct_structure", "assessment", {"medecin_traitant": "due", "patient": "due", "dmp": "due"}),
    ("urgence", "assessment", {"medecin_traitant": "due", "patient": "due"}),
    ("protocole", "treatment_summary", {"delegant": "due"}),
    ("renewal", "prescriber_information", {"prescripteur": "due"}),
    ("prescription", "assessment", {"": "not_due"}),
    ("hors_nomenclature", "assessment", {"": "not_due"}),
    ("hors_nomenclature", "treatment_summary", {"": "not_due"}),
    ("urgence", "treatment_summary", {"": "not_due"}),
    ("direct_cpts", "reorientation_letter", {"medecin_traitant": "due"}),
]


@pytest.mark.parametrize(("mode", "kind", "expected"), MODES, ids=[f"{line[0]} {line[1]}" for line in MODES])
def test_what_each_mode_asks(mode: str, kind: str, expected: dict[str, str]) -> None:
    found = lines(fact(kind, mode=mode, episode_start=DAY))
    assert {one.to: one.state for one in found if one.document_id == "d1"} == expected
    if mode not in {"direct_cpts", "direct_structure"}:
        assert all(one.document_id == "d1" for one in found)


def test_a_pdf_that_says_nothing_of_the_access_owes_nothing_that_is_known() -> None:
    [one] = lines(fact(mode=None, structured=False))
    assert (one.state, one.reason) == ("not_due", "OBL-NO-MODE")


R4321: list[tuple[str, dict[str, Any], bool]] = [
    ("nine sessions", {"sessions_done": 9}, False),
    ("ten sessions", {"sessions_done": 10}, True),
    ("ten with those before", {"sessions_done": 4, "sessions_before": 6}, True),
    ("ten, but not the last", {"sessions_done": 10, "end_reason": "bilan_intermediaire"}, False),
    ("a complication", {"sessions_done": 2, "adverse": (Adverse(DAY, "malaise", "grave"),)}, True),
    ("it got worse", {"sessions_done": 2, "outcome": "aggravation"}, True),
]


@pytest.mark.parametrize(("care", "due"), [line[1:] for line in R4321], ids=[line[0] for line in R4321])
def test_the_three_cases_of_r4321_2(care: dict[str, Any], *, due: bool) -> None:
    values = {"mode": "prescription", "end_reason": "fin_de_traitement"} | care
    [one] = lines(fact("treatment_summary", **values))
    assert one.to == "prescripteur"
    assert (one.state, one.reason) == (("due", "OBL-NO-DELIVERY") if due else ("not_due", "OBL-R4321-2"))


@pytest.mark.parametrize(("change", "due"), [("adaptation", True), ("renouvellement", False)])
def test_a_changed_treatment_is_one_of_them(change: str, *, due: bool) -> None:
    summary = fact("treatment_summary", mode="prescription", sessions_done=3)
    told = fact("prescriber_information", "d2", mode="prescription", change=change)
    [one] = [one for one in lines(summary, told) if one.document == "treatment_summary"]
    assert (one.state == "due") is due


def test_the_medecin_traitant_stands_for_the_prescriber() -> None:
    summary = fact("treatment_summary", mode="prescription", sessions_done=12)
    mail = row("medecin_traitant", receipt=Receipt.DELIVERED)
    [one] = lines(summary, rows=(mail,))
    assert one.state == "met"
    own = row("professional", Transport.RETRY, role="prescripteur_2")
    [one] = lines(summary, rows=(mail, own))
    assert one.state == "due"  # a prescriber of his own has to receive it


@pytest.mark.parametrize(("reported", "state"), [(True, "met"), (False, "due")])
def test_undesirable_events_are_declared(reported: bool, state: str) -> None:
    events = (Adverse(DAY, "malaise", "grave", reported),)
    [one] = [one for one in lines(fact(adverse=events)) if one.document == "adverse_event"]
    assert (one.to, one.state, one.due_by) == ("ars", state, None)
    assert not [one for one in lines(fact(adverse=events, mode="urgence")) if one.document == "adverse_event"]


# -------------------------------------------------------------------------------------------------- the table


def test_the_table_names_rows_and_sources_for_every_duty() -> None:
    table = duties.load()
    assert all(one.source and one.rows for one in table.duty)
    assert {mode for one in table.duty for mode in one.modes} == set(AccessMode) - {AccessMode.HORS_NOMENCLATURE}
    assert (table.delays.transmit_hours, table.r4321_2.sessions) == (24, 10)  # spec kine §1 row 11, §2.1


@pytest.mark.parametrize("text", ["[", "version = 'x'", "twice"])
def test_a_damaged_table_is_a_configuration_error(tmp_path: Any, monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    shipped = resources.data_path("config", "obligations.toml").read_text(encoding="utf-8")
    again = '\n[[duty]]\nmodes = ["urgence"]\ndocument = "assessment"\nto = ["dmp"]\nrows = [12]\nsource = "x"\n'
    path = tmp_path / "obligations.toml"
    path.write_text(shipped + again if text == "twice" else text, encoding="utf-8")
    monkeypatch.setattr(duties, "data_path", lambda *_: path)
    with pytest.raises(ConfigError) as caught:
        duties.load.__wrapped__()
    assert caught.value.code == "OBL-001"


def test_the_key_of_an_obligation_outlives_its_state() -> None:
    early, late = lines(fact()), lines(fact(), hours=100)
    assert [one.key for one in early] == [one.key for one in late]
    assert len({one.key for one in early}) == len(early)
    assert obligations.ABSENT in {one.reason for one in late}
