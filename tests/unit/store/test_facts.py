"""Facts of care: frozen with the document, sealed, tied to the journal, alive after erasure."""

from __future__ import annotations

import dataclasses
import json
from datetime import date
from pathlib import Path

import pytest

from gateway.errors import StateError, StoreError
from gateway.store.facts import Adverse, CareFacts, EpisodeFacts, LateObligation, NewFacts, Referral
from gateway.store.outbox import Outbox
from tests.unit.store import kit

CARE = CareFacts(
    kind="treatment_summary",
    day=date(2026, 3, 1),
    mode="direct_cpts",
    claimed="non_etabli",
    sessions_before=2,
    sessions_done=3,
    sessions=(date(2026, 2, 20), date(2026, 2, 25), date(2026, 2, 25)),
    motives=("CIM-10:S93.4",),
    referral=Referral(date(2026, 2, 28), None, "24h"),
    adverse=(Adverse(date(2026, 2, 21), "malaise", "grave"),),
)
NEW = NewFacts("episode SECRETE-EP", "10000000000", CARE)


def accept(store: Outbox, name: str = "a", facts: NewFacts | None = NEW) -> str:
    made = dataclasses.replace(kit.request(name), facts=facts, document_type=f"type-{name}")
    return store.accept(made).document_id


def records(store: Outbox, event: str) -> list[dict[str, object]]:
    found = [json.loads(entry.record) for entry in store.snapshot().records()]
    return [one for one in found if one["event"] == event]


def test_what_is_frozen_comes_back_and_the_journal_holds_its_hash(store: Outbox) -> None:
    document = accept(store)
    [found] = store.facts()
    assert found.care == CARE
    assert (found.document_id, found.account, found.counts, found.erased) == (document, "cabinet", True, False)
    assert found.care.sessions_so_far == 5
    [record] = records(store, "document_accepted")
    assert record["facts_sha256"] == found.sha256
    assert record["patient"] == found.patient


def test_facts_outlive_the_document(store: Outbox) -> None:
    document = accept(store)
    before = store.facts()[0]
    for delivery in store.document(document).delivery_ids:
        store.act(delivery, "cancel", by="Dr Test", reason="essai")
    store.erase(document, by="Dr Test")
    assert store.facts() == [dataclasses.replace(before, erased=True)]


def test_nothing_of_them_is_in_clear(store: Outbox, tmp_path: Path) -> None:
    accept(store)
    written = kit.dump(store).encode() + b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
    for secret in (b"SECRETE-EP", b"10000000000", b"S93.4", b"malaise", b"non_etabli", b"2026-02-20"):
        assert secret not in written
    assert b"facts_sha256" in written


def test_pseudonyms_tell_episodes_and_authors_apart(store: Outbox) -> None:
    made = [accept(store, "a"), accept(store, "b", dataclasses.replace(NEW, author="20000000000"))]
    other = dataclasses.replace(kit.request("c"), facts=NEW, account="autre", patient=kit.request("a").patient)
    made += [store.accept(other).document_id, accept(store, "d", NewFacts(None, "10000000000", CARE))]
    found = {one.document_id: one for one in store.facts()}
    assert len(found) == len(made) == 4
    first, second, elsewhere, none = (found[one] for one in made)
    assert first.author == elsewhere.author == none.author != second.author
    assert len({first.episode, second.episode, elsewhere.episode}) == 3  # the number alone is nobody's episode
    assert none.episode is None
    assert [one.document_id for one in store.facts("autre")] == [elsewhere.document_id]
    assert store.facts("cabinet", episode=second.episode) == [second]


def test_an_altered_row_is_seen(store: Outbox) -> None:
    accept(store, "a")
    before = store.facts()[0]
    accept(store, "b")
    kit.sql(store, "UPDATE episode_fact SET author = 'f' WHERE document_id = ?", (before.document_id,))
    [changed] = [one for one in store.facts() if one.document_id == before.document_id]
    assert changed.sha256 != before.sha256
    other = "(SELECT sealed FROM episode_fact WHERE document_id <> ?)"  # the seal knows its place
    values = (before.document_id, before.document_id)
    kit.sql(store, f"UPDATE episode_fact SET sealed = {other} WHERE document_id = ?", values)
    with pytest.raises(StoreError) as refused:
        store.facts()
    assert refused.value.code == "SEA-006"


def test_documents_of_an_earlier_release_are_completed_once(store: Outbox) -> None:
    document = accept(store, "a", None)
    assert store.facts() == []
    assert "facts_sha256" not in records(store, "document_accepted")[0]
    assert store.without_facts() == [document]
    store.freeze(document, kit.request("a").patient, NEW)
    [found] = store.facts()
    assert found.care == CARE
    assert records(store, "facts_frozen")[0]["facts_sha256"] == found.sha256
    assert found.patient == store.document(document).patient
    assert store.without_facts() == []
    with pytest.raises(StateError) as refused:
        store.freeze(document, kit.request("a").patient, NEW)
    assert refused.value.code == "DOC-002"


def test_the_version_that_stands_is_the_last_one(store: Outbox) -> None:
    first = accept(store, "a")
    second = store.accept(dataclasses.replace(kit.request("a2", kit.mail()), facts=NEW, replaces=first)).document_id
    older, newer = sorted(store.facts(), key=lambda one: one.document_id != first)
    assert isinstance(older, EpisodeFacts)
    assert (older.document_id, older.replaced_by, older.counts) == (first, second, False)
    assert (newer.document_id, newer.counts) == (second, True)


def test_a_late_obligation_is_noted_once_with_a_record(store: Outbox) -> None:
    late = LateObligation(
        "cabinet", "episode", "treatment_summary", "dmp", "near", "treatment_summary", kit.START, "OBL-NO-DOCUMENT"
    )
    other = dataclasses.replace(late, reader="patient")
    assert store.note_late([late]) == [late]
    assert store.note_late([late, other]) == [other]
    assert store.note_late([]) == []
    first, second = records(store, "obligation_late")
    assert (first["document"], first["kind"], first["role"], second["role"]) == ("near", late.kind, "dmp", "patient")
    assert (first["due_at"], first["reason"]) == ("2026-03-02T09:00:00.000Z", "OBL-NO-DOCUMENT")
