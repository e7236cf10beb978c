"""Finding what is finished and erasing its content, document by document. See `gateway.store.retention`."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from gateway.store import payload
from gateway.store.core import from_ms, to_ms
from gateway.store.operating import checked_name
from gateway.store.retention import Ended, Kind, Old, Why

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from gateway.store.core import Core, Work
    from gateway.store.database import Row, Transaction

PAGE = 500
"""Documents looked at in one transaction."""
_MAIL_CHANNEL = "mssante"


def old(core: Core, before: datetime, all_before: datetime | None) -> Old:
    """See RetentionStore."""
    last = -1 if all_before is None else to_ms(all_before)
    ended: list[Ended] = []
    seen = 0
    for ids, rows in _pages(core, max(to_ms(before), last), last):
        seen += len(ids)
        ended += [_ended(row) for row in rows]
    return Old(tuple(ended), seen - len(ended))


def _pages(core: Core, before: int, last: int) -> Iterator[tuple[list[str], list[Row]]]:
    at, after = -1, ""
    while True:
        with core.db.read() as tx:
            page = tx.all("documents_kept", before=before, last=last, at=at, after=after, limit=PAGE)
            ids = [row["id"] for row in page]
            rows = _finished(tx, ids)
        if not ids:
            return
        yield ids, rows
        at, after = page[-1]["accepted_at"], page[-1]["id"]


def _finished(tx: Transaction, ids: list[str]) -> list[Row]:
    return tx.all("documents_ended", ids=json.dumps(ids))


def _ended(row: Row) -> Ended:
    last = max(row[name] or 0 for name in ("accepted_at", "moved_at", "heard_at"))
    return Ended(row["id"], row["account"], from_ms(last), row["mails_erased_at"] is None)


def weights(core: Core, document_id: str) -> dict[Kind, int]:
    """See RetentionStore."""
    with core.db.read() as tx:
        row = tx.one("document_get", id=document_id)
        if row is None or row["wrapped_key"] is None:
            return {"mails": 0, "documents": 0}
        sizes = {one["sha256"]: one["size"] for one in tx.all("artifact_sizes", document_id=document_id)}
        mails = _mail_artifacts(core, tx, row)
    return {"mails": sum(sizes.get(one, 0) for one in mails), "documents": sum(sizes.values())}


def _mail_artifacts(core: Core, tx: Transaction, document: Row) -> set[bytes]:
    """Contents that only the mails of a document have: neither its renderings nor what went to the DMP."""
    key = core.document_key(document)
    if key is None or document["manifest"] is None:
        return set()
    mails: set[bytes] = set()
    others = payload.digests(key, "document", document["id"], document["manifest"])
    for row in tx.all("deliveries_of_document", document_id=document["id"]):
        if row["manifest"] is not None:
            held = payload.digests(key, "delivery", row["id"], row["manifest"])
            (mails if row["channel"] == _MAIL_CHANNEL else others).update(held)
    return mails - others


def content_bytes(core: Core) -> int:
    """See RetentionStore."""
    with core.db.read() as tx:
        row = tx.one("store_bytes")
    return 0 if row is None else int(row["bytes"])


def retire(core: Core, document_id: str, kind: Kind, by: str, why: Why) -> bool:
    """See RetentionStore."""
    by = checked_name(by)
    with core.write() as work:
        found = _finished(work.tx, [document_id])
        if not found:
            return False
        row = work.tx.one("document_get", id=document_id)
        assert row is not None
        return _erase_all(work, row, by, why) if kind == "documents" else _erase_mails(core, work, row, by, why)


def _erase_all(work: Work, row: Row, by: str, why: Why) -> bool:
    if not work.tx.run("document_erase", id=row["id"], at=work.ms):
        return False
    work.tx.run("artifacts_erase", document_id=row["id"])
    work.note("document_erased", of=row["account"], document=row["id"], by=by, reason=why)
    return True


def _erase_mails(core: Core, work: Work, row: Row, by: str, why: Why) -> bool:
    if row["mails_erased_at"] is not None:
        return False
    digests = _mail_artifacts(core, work.tx, row)
    sizes = {one["sha256"]: one["size"] for one in work.tx.all("artifact_sizes", document_id=row["id"])}
    for digest in digests:
        work.tx.run("artifact_erase", document_id=row["id"], sha256=digest)
    work.tx.run("document_mails_erased", id=row["id"], at=work.ms)
    size = sum(sizes.get(one, 0) for one in digests)
    work.note("mails_erased", of=row["account"], document=row["id"], by=by, reason=why, size=size)
    return True
