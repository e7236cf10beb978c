"""Questions to a DMP journalled, changes of a document in it planned: each in one transaction."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.store import journal
from gateway.store.core import find_delivery, find_document
from gateway.store.linking import insert_into, unmoved
from gateway.store.operating import check_reason, checked_name, keep_note, withdrawn

if TYPE_CHECKING:
    from gateway.store.core import Core
    from gateway.store.dmp_acts import DmpAccess, DmpChange


def note_access(core: Core, access: DmpAccess, patient: str | None) -> None:
    """See DmpStore."""
    by = checked_name(access.by)
    pseudonym = None if patient is None else core.vault.pseudonym(access.account, patient)
    with core.write() as work:
        work.note(
            "dmp_asked",
            account=access.account,
            by=by,
            channel="dmp",
            kind=journal.code(access.kind),
            verdict=journal.code(access.verdict),
            reason=None if access.reason is None else journal.code(access.reason),
            size=access.size,
            document=access.document,
            host=access.host,
            patient=pseudonym,
        )


def change(core: Core, request: DmpChange) -> str:
    """See DmpStore."""
    by = checked_name(request.by)
    check_reason(request.reason)
    with core.write() as work:
        fed = unmoved(work, request.seen)
        document = find_document(work.tx, fed["document_id"])
        if document["withdrawn_at"] is not None and request.planned.purpose == "document":
            raise withdrawn(document["id"])
        delivery = insert_into(core, work, document, request.planned)
        mac = keep_note(core, work, find_delivery(work.tx, delivery), "change", by, request.reason)
        kind = journal.code(request.kind)
        work.note("dmp_change", document=document["id"], deliveries=[delivery], kind=kind, by=by, note_mac=mac)
    return delivery
