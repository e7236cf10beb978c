"""From what the pure road prepared to what the store keeps, on the fixtures themselves."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest

from gateway import pipeline, terminology
from gateway.clock import SeededRandomness
from gateway.engine import accept, plan, stored
from gateway.errors import ConflictError
from gateway.pipeline import Planned, Prepared, World
from gateway.records.submission import Submission, parse
from gateway.rules.routes import Route
from gateway.settings import AccountSettings, FhirSettings, RulesSettings
from gateway.store.base import NORMAL, SOON, URGENT
from gateway.store.outbox import Outbox
from gateway.store.states import Transport
from tests.unit.store import kit

NOW = datetime(2026, 11, 22, 9, 0, tzinfo=UTC)
BILAN = "01_entorse_cheville_bilan"
SUMMARY = "01_entorse_cheville_compte_rendu"
Load = Callable[..., Submission]


@pytest.fixture
def load(root: Path) -> Load:
    def read(name: str, **changes: Any) -> Submission:
        value = json.loads((root / "fixtures" / "cases" / f"{name}.json").read_bytes()) | changes
        submission, findings = parse(json.dumps(value).encode())
        assert submission is not None, findings
        return submission

    return read


@pytest.fixture
def prepare(tmp_path: Path) -> Callable[[Submission], Prepared]:
    def road(submission: Submission) -> Prepared:
        base = kit.settings(tmp_path).account[0].model_dump()
        tls = {"ca_file": "ca.pem"}
        channels = {
            "smtp": {"host": "smtp.test", "tls": tls},
            "dmp": {"url": "https://dmp.test", "tls": tls, "sign_cert_file": "c", "sign_key_file": "k"},
        }
        account = AccountSettings.model_validate(
            base | channels | {"id": submission.account, "rpps": submission.author.rpps}
        )
        world = World(terminology.load(), None, RulesSettings(), FhirSettings())
        return pipeline.prepare(submission, account, world, now=NOW, ids=SeededRandomness("road"), keys=None)

    return road


def test_a_fixture_is_accepted_with_all_that_was_made_of_it(
    store: Outbox, load: Load, prepare: Callable[[Submission], Prepared]
) -> None:
    submission = load(BILAN)
    prepared = prepare(submission)
    assert accept.known(store, submission) is None
    accepted = accept.accept(store, prepared)
    assert accept.known(store, submission) == accept.accept(store, prepared)
    row = store.document(accepted.document_id)
    assert (row.kind, row.document_type) == ("assessment", prepared.document.header.type.code)
    assert row.mapping_pack == terminology.load().version
    assert row.document_date == prepared.document.header.effective_time.date()
    for name, data in prepared.renderings.items():
        assert store.rendering(row.id, name).data == data
    assert parse(store.rendering(row.id, "submission").data)[0] == submission
    sent = {claim.destination: claim for claim in store.claim(kit.wanted())}
    for planned in prepared.deliveries:
        if planned.package is not None:
            claim = sent[planned.route.destination]
            assert tuple((b.name, b.data) for b in claim.parts) == tuple(
                (p.name, p.data) for p in planned.package.parts
            )


def test_every_fixture_can_be_accepted(
    store: Outbox, root: Path, load: Load, prepare: Callable[[Submission], Prepared]
) -> None:
    names = [path.stem for path in sorted((root / "fixtures" / "cases").glob("*.json"))]
    assert len(names) > 5
    for name in names:
        accepted = accept.accept(store, prepare(load(name)))
        assert accepted.created
        assert accepted.repeat_of is None, name
        assert accepted.delivery_ids
    unsettled = {row.reason for row in store.deliveries() if row.state is not Transport.PREPARED}
    assert None not in unsettled


def test_the_same_key_with_another_content_is_a_conflict(
    store: Outbox, load: Load, prepare: Callable[[Submission], Prepared]
) -> None:
    accept.accept(store, prepare(load(BILAN, key="k")))
    with pytest.raises(ConflictError):
        accept.known(store, load(SUMMARY, key="k"))


def test_the_hash_is_of_the_meaning_not_of_the_bytes(load: Load) -> None:
    submission = load(BILAN)
    again, _ = parse(json.dumps(submission.model_dump(mode="json", exclude_none=True), indent=4).encode())
    assert again is not None
    assert stored.content_hash(again) == stored.content_hash(submission)


def test_history_knows_what_was_accepted_before(
    store: Outbox, load: Load, prepare: Callable[[Submission], Prepared]
) -> None:
    bilan, summary = load(BILAN), load(SUMMARY)
    assert accept.history(store, bilan) is None
    accept.accept(store, prepare(bilan))
    before = accept.history(store, summary)
    assert before is not None
    assert [(d.kind, d.date) for d in before.documents] == [("assessment", bilan.document.date.date())]
    accept.accept(store, prepare(summary))
    after = accept.history(store, summary)
    assert after is not None
    assert after.sessions_done == getattr(summary.document, "sessions_done", None)
    other = summary.model_copy(
        update={
            "access": summary.access.model_copy(
                update={"episode": summary.access.episode.model_copy(update={"id": "autre"})}
            )
        }
    )
    elsewhere = accept.history(store, other)
    assert elsewhere is not None
    assert (elsewhere.documents, elsewhere.sessions_done) == ((), 0)
    assert [past.id for past in elsewhere.previous_episodes] == [summary.access.episode.id]


def test_an_erased_document_counts_no_more(
    store: Outbox, load: Load, prepare: Callable[[Submission], Prepared]
) -> None:
    accepted = accept.accept(store, prepare(load(BILAN)))
    for delivery in accepted.delivery_ids:
        if store.delivery(delivery).row.state is not Transport.IMPOSSIBLE:
            store.act(delivery, "cancel", by="Anne", reason="x")
    store.erase(accepted.document_id, by="Anne")
    assert accept.history(store, load(SUMMARY)) is None


def test_a_patient_is_told_from_others_by_the_best_there_is(
    load: Load, prepare: Callable[[Submission], Prepared]
) -> None:
    prepared = prepare(load(BILAN))
    patient = prepared.submission.patient
    assert patient.ins is not None
    ways: list[dict[str, Any]] = [{}, {"ins": None}, {"ins": None, "identifiers": ()}]
    keys = {key_with(prepared, change) for change in [*ways, ways[-1] | {"birth_date": date(1900, 1, 1)}]}
    assert len(keys) == 4
    assert key_with(prepared, {"address": None}) in keys


def key_with(prepared: Prepared, change: dict[str, Any]) -> str:
    patient = prepared.submission.patient.model_copy(update=change)
    submission = prepared.submission.model_copy(update={"patient": patient})
    return accept.request(replace(prepared, submission=submission)).patient


@pytest.mark.parametrize(
    ("route", "state", "reason"),
    [
        (
            Route("medecin_traitant", "medecin_traitant", "mssante", None, "DST-NO-MT"),
            Transport.IMPOSSIBLE,
            "DST-NO-MT",
        ),
        (Route("hand", "patient", "manual"), Transport.HELD, "MAN-HAND"),
        (Route("post", "patient", "manual"), Transport.HELD, "MAN-POST"),
        (Route("sip", "patient", "manual"), Transport.HELD, "MAN-SIP"),
        (Route("patient", "patient", "manual", None, "DST-HIDDEN"), Transport.IMPOSSIBLE, "DST-HIDDEN"),
        (Route("dmp", "dmp", "dmp"), Transport.IMPOSSIBLE, "ENG-NO-PACKAGE"),
    ],
)
def test_where_a_destination_starts(route: Route, state: Transport, reason: str) -> None:
    planned = plan.delivery(Planned(route, None))
    assert (planned.state, planned.reason, planned.parts, planned.context) == (state, reason, (), None)


def test_an_urgent_reorientation_goes_first(load: Load) -> None:
    submission = load(BILAN)
    assert plan.priority(submission) == NORMAL
    found = {}
    for urgency in ("programmee", "24h", "urgence"):
        reorientation = {"to": "urgences", "date": "2026-03-01", "reason": "x", "urgency": urgency}
        document = submission.document.model_dump(mode="json", exclude_none=True) | {"reorientation": reorientation}
        found[urgency] = plan.priority(load(BILAN, document=document))
    assert found == {"programmee": NORMAL, "24h": SOON, "urgence": URGENT}


def test_what_the_engine_decides_has_words_for_people(root: Path) -> None:
    import re

    from gateway import wording

    silent = {"ENG-OPERATOR", "ENG-RECEIPT", "ENG-RESEND", "ENG-LEASE", "ENG-UNDECIDED"}  # nothing to be done about it
    code = "".join(p.read_text() for room in ("store", "engine") for p in (root / "gateway" / room).glob("*.py"))
    reasons = set(re.findall(r'"(ENG-[A-Z-]+)"', code)) - silent
    assert reasons
    for reason in reasons:
        assert wording.advice("in_doubt", "none", reason) != wording.advice("in_doubt", "none", None), reason
