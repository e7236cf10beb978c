from __future__ import annotations

from dataclasses import replace
from datetime import date
from hashlib import sha256
from pathlib import Path

import pytest

from gateway.errors import ConflictError, NotFoundError
from gateway.store.base import Blob, Filter
from gateway.store.outbox import Outbox
from gateway.store.states import Receipt, Transport
from tests.unit.store import kit


def test_a_document_comes_back_as_it_went_in(store: Outbox) -> None:
    request = kit.request()
    accepted = store.accept(request)
    assert accepted.created
    row = store.document(accepted.document_id)
    assert row.content_sha256 == request.content_sha256
    assert row.findings == ("ACC-001",)
    assert row.delivery_ids == accepted.delivery_ids
    assert store.rendering(row.id, "submission").data == request.submission
    assert store.rendering(row.id, "pdf") == request.renderings[1]
    assert store.parts(accepted.delivery_ids[1]) == request.deliveries[1].parts


def test_deliveries_start_as_planned(store: Outbox) -> None:
    no_doctor = kit.mail(state=Transport.IMPOSSIBLE, reason="DST-NO-MT", parts=(), context=None)
    by_hand = kit.mail(
        "patient", destination="hand", channel="manual", state=Transport.HELD, reason="MAN-HAND", parts=(), context=None
    )
    accepted = store.accept(kit.request("a", no_doctor, by_hand, kit.dmp()))
    rows = [store.delivery(found).row for found in accepted.delivery_ids]
    assert [(row.state, row.reason, row.actor) for row in rows] == [
        (Transport.IMPOSSIBLE, "DST-NO-MT", None),
        (Transport.HELD, "MAN-HAND", "gateway"),
        (Transport.PREPARED, None, None),
    ]
    assert {row.receipt for row in rows} == {Receipt.NONE}
    assert [row.due_at is None for row in rows] == [True, True, False]


def test_the_same_key_and_content_give_the_same_ids(store: Outbox) -> None:
    first = store.accept(kit.request())
    again = store.accept(kit.request())
    assert not again.created
    assert (again.document_id, again.delivery_ids) == (first.document_id, first.delivery_ids)
    assert len(store.deliveries()) == 2
    assert store.known("cabinet", kit.request().key, kit.request().content_sha256) == again


def test_the_same_key_with_other_content_is_refused(store: Outbox) -> None:
    store.accept(kit.request())
    other = replace(kit.request("b"), key=kit.request().key)
    with pytest.raises(ConflictError, match="DOC-409"):
        store.accept(other)
    with pytest.raises(ConflictError):
        store.known("cabinet", other.key, other.content_sha256)
    assert len(store.deliveries()) == 2


def test_without_a_key_the_content_is_the_key(store: Outbox) -> None:
    request = replace(kit.request(), key=None)
    assert store.accept(request).created
    assert not store.accept(request).created
    other = replace(request, content_sha256=sha256(b"other").hexdigest(), document_date=date(2026, 3, 9))
    assert store.accept(other).created


def test_a_key_that_looks_like_a_hash_is_still_a_key(store: Outbox) -> None:
    store.accept(replace(kit.request("a"), key=None))
    by_key = replace(kit.request("b"), key=f"hash:{kit.request('a').content_sha256}")
    assert store.accept(by_key).created


def test_each_account_has_its_own_keys(store: Outbox) -> None:
    store.accept(kit.request())
    assert store.accept(replace(kit.request(), account="autre")).created


def test_a_likely_repeat_is_held(store: Outbox) -> None:
    first = store.accept(kit.request())
    request = replace(kit.request("b"), patient=kit.request().patient)
    second = store.accept(request)
    assert second.created
    assert second.repeat_of == first.document_id
    rows = store.deliveries(Filter(document_id=second.document_id))
    assert {(row.state, row.reason, row.actor) for row in rows} == {(Transport.HELD, "ENG-REPEAT", "gateway")}
    assert store.claim(kit.wanted()) != []  # the first one goes out all the same
    assert store.claim(kit.wanted()) == []


@pytest.mark.parametrize(
    "change",
    [
        {"document_date": date(2026, 3, 2)},
        {"document_type": "other"},
        {"patient": "somebody else"},
        {"account": "autre"},
    ],
)
def test_what_differs_is_no_repeat(store: Outbox, change: dict[str, object]) -> None:
    store.accept(kit.request())
    other = replace(kit.request("b"), **{"patient": kit.request().patient, **change})  # type: ignore[arg-type]
    assert store.accept(other).repeat_of is None


def test_a_replacement_is_no_repeat(store: Outbox) -> None:
    first = store.accept(kit.request())
    request = replace(kit.request("b"), patient=kit.request().patient, replaces=first.document_id)
    assert store.accept(request).repeat_of is None


def test_an_artifact_shared_by_two_parts_is_stored_once(store: Outbox) -> None:
    cda = Blob("cda", "application/xml", b"<cda/>")
    accepted = store.accept(replace(kit.request("a", kit.dmp()), renderings=(cda,)))
    with store.core.db.read() as tx:
        [count] = tx.all("journal_of_delivery", delivery=accepted.delivery_ids[0])
        assert "accepted" in count["record"]
    # Submission, metadata, and one CDA for rendering and package alike.
    assert kit.sql(store, "SELECT count(*) FROM artifact") == [(3,)]


@pytest.mark.parametrize(
    "planned",
    [
        kit.mail(context=None),
        kit.mail(channel="manual"),
        kit.mail(state=Transport.SENT),
        kit.mail(state=Transport.HELD),
        kit.mail(parts=(Blob("x", "a/b", b"1"), Blob("x", "a/b", b"2"))),
    ],
)
def test_a_contradictory_plan_is_refused_and_leaves_nothing(store: Outbox, planned: object) -> None:
    with pytest.raises(ValueError, match=r"."):
        store.accept(kit.request("a", planned))  # type: ignore[arg-type]
    assert store.deliveries() == []


def test_unknown_ids_say_so(store: Outbox) -> None:
    for call in (store.document, store.delivery, store.parts):
        with pytest.raises(NotFoundError):
            call("nothing")  # type: ignore[operator]
    accepted = store.accept(kit.request())
    with pytest.raises(NotFoundError, match="DOC-405"):
        store.rendering(accepted.document_id, "odt")


def test_a_failure_inside_the_transaction_leaves_nothing(store: Outbox, monkeypatch: pytest.MonkeyPatch) -> None:
    from gateway.store import journal

    before = store.snapshot().size

    def broken(*_: object) -> None:
        raise RuntimeError("no room")

    monkeypatch.setattr(journal, "append", broken)
    with pytest.raises(RuntimeError):
        store.accept(kit.request())
    monkeypatch.undo()
    assert store.deliveries() == []
    assert store.snapshot().size == before
    assert store.accept(kit.request()).created


def test_documents_of_one_patient(store: Outbox, tmp_path: Path) -> None:
    first = store.accept(kit.request("a"))
    store.accept(kit.request("b"))
    found = store.documents("cabinet", kit.request("a").patient)
    assert [row.id for row in found] == [first.document_id]
    assert store.documents("autre", kit.request("a").patient) == []
