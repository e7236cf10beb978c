"""`verify-document`: the same bytes, whatever they travelled in, are found with who got them and when."""

from __future__ import annotations

import io
import zipfile
from email.message import EmailMessage
from hashlib import sha256
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from gateway.audit import lookup
from gateway.audit.export import export
from gateway.store.base import Result
from gateway.store.outbox import Outbox
from gateway.store.states import Event, Receipt, Transport
from tests.unit.store import kit


def sent(folder: Path) -> Outbox:
    store = kit.open_store(folder)
    for name in "ab":
        store.accept(kit.request(name))
    for claim in store.claim(kit.wanted(limit=1)):
        store.mark_transmitting(claim)
        store.record(claim, Result(Event.TAKEN, Transport.SENT, "accepted", "MSS-250", reference="4Xyz"))
    return store


def pdf_of(store: Outbox, position: int) -> bytes:
    return store.rendering(store.deliveries()[position].document_id, "pdf").data


def as_received(pdf: bytes, cda: bytes) -> bytes:
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("IHE_XDM/SUBSET01/DOC0001.XML", cda)
    message = EmailMessage()
    message["Received"] = "from somewhere"
    message.set_content("Bonjour")
    message.add_attachment(pdf, maintype="application", subtype="pdf", filename="a.pdf")
    message.add_attachment(archive.getvalue(), maintype="application", subtype="zip", filename="IHE_XDM.ZIP")
    return message.as_bytes()


def test_a_pdf_is_found_with_its_deliveries_in_the_store_and_in_an_export(tmp_path: Path) -> None:
    store = sent(tmp_path)
    row = next(row for row in store.deliveries() if row.state is Transport.SENT)
    pdf = store.rendering(row.document_id, "pdf").data
    found = lookup.in_store(store, lookup.pieces(pdf))
    assert [one.document for one in found] == [row.document_id]
    traces = {trace.delivery: trace for trace in found[0].deliveries}
    assert traces.keys() == set(store.document(row.document_id).delivery_ids)
    there = traces[row.id]
    assert (there.state, there.destination, there.reference) == ("sent", row.destination, "4Xyz")
    assert there.sent_at is not None
    assert all(trace.sent_at is None for name, trace in traces.items() if name != row.id)
    file = tmp_path / "export.jsonl"
    file.write_text("".join(export(store)), encoding="utf-8")
    assert lookup.in_export(file, lookup.pieces(pdf)) == found
    store.close()


def test_what_travelled_in_a_mail_is_found_inside_it(tmp_path: Path) -> None:
    store = sent(tmp_path)
    document = store.deliveries()[0].document_id
    mail = as_received(store.rendering(document, "pdf").data, store.rendering(document, "cda").data)
    found = lookup.in_store(store, lookup.pieces(mail))
    assert {one.piece.label for one in found} == {
        "pièce jointe application/pdf",
        "archive : IHE_XDM/SUBSET01/DOC0001.XML",
    }
    assert {one.document for one in found} == {document}
    store.close()


def test_an_erased_document_is_still_found(tmp_path: Path) -> None:
    store = sent(tmp_path)
    document = store.deliveries()[0].document_id
    pdf = store.rendering(document, "pdf").data
    for row in store.deliveries():
        if row.document_id == document and row.state is not Transport.SENT:
            store.act(row.id, "cancel", by="Anne", reason="test")
    store.erase(document, by="Anne")
    assert [one.document for one in lookup.in_store(store, lookup.pieces(pdf))] == [document]
    store.close()


def test_a_receipt_is_found_for_its_delivery_alone(tmp_path: Path) -> None:
    store = sent(tmp_path)
    row = next(row for row in store.deliveries() if row.state is Transport.SENT)
    proof = b"From: operator\r\n\r\ndelivered"
    store.record_receipt(row.id, Receipt.DELIVERED, evidence_sha256=sha256(proof).hexdigest())
    found = lookup.in_store(store, lookup.pieces(proof))
    assert [(one.receipt_of, [trace.delivery for trace in one.deliveries]) for one in found] == [(row.id, [row.id])]
    store.close()


def test_one_byte_more_is_not_found(tmp_path: Path) -> None:
    store = sent(tmp_path)
    assert lookup.in_store(store, lookup.pieces(pdf_of(store, 0) + b" ")) == []
    store.close()


@given(st.binary(max_size=400) | st.binary(max_size=400).map(lambda data: b"PK\x03\x04" + data))
def test_any_bytes_can_be_asked_for(data: bytes) -> None:
    assert lookup.pieces(data)[0].sha256 == sha256(data).hexdigest()
