"""Does what `gateway.store.browsing_types` describes: one page of deliveries, one journal record of a reading."""

from __future__ import annotations

import json
import re
from typing import Any

from gateway.store import journal, reading
from gateway.store.browsing_types import Consulted, Cursor, Listed, PageFilter
from gateway.store.core import Core, from_ms, to_ms
from gateway.store.operating import checked_name

_END_OF_TIME = 1 << 62
_LAST_ID = "\x7f"
"""Sorts after every identifier."""


def page(core: Core, wanted: PageFilter) -> list[Listed]:
    """See BrowseStore."""
    name = "deliveries_page" if wanted.patient is None else "deliveries_page_of_patient"
    with core.db.read() as tx:
        rows = tx.all(name, **_values(wanted))
    return [Listed(reading.delivery_row(row), row["patient"]) for row in rows]


def _values(wanted: PageFilter) -> dict[str, Any]:
    after = wanted.after
    return {
        "accounts": _listed(wanted.accounts),
        "states": _listed(wanted.states),
        "receipts": _listed(wanted.receipts),
        "destination": wanted.destination,
        "reference": wanted.reference,
        **({} if wanted.patient is None else {"patient": wanted.patient}),
        "since": 0 if wanted.since is None else to_ms(wanted.since),
        "until": _END_OF_TIME if wanted.until is None else to_ms(wanted.until),
        "attention": int(wanted.attention),
        "closed": json.dumps(wanted.closed),
        "before": _END_OF_TIME if after is None else to_ms(after.created_at),
        "before_id": _LAST_ID if after is None else after.delivery,
        "limit": wanted.limit,
    }


def _listed(values: tuple[str, ...]) -> str | None:
    return json.dumps(values) if values else None


def note_consulted(core: Core, consulted: Consulted) -> None:
    """See BrowseStore."""
    with core.write() as work:
        work.note(
            consulted.event,
            by=checked_name(consulted.by),
            kind=journal.code(consulted.kind),
            account=consulted.account,
            document=consulted.document,
            delivery=consulted.delivery,
            patient=None if consulted.patient is None else journal.code(consulted.patient),
            size=consulted.size,
        )


def journal_records(core: Core) -> int:
    """See BrowseStore."""
    with core.db.read() as tx:
        row = tx.one("journal_records")
    return 0 if row is None else int(row["size"])


_CURSOR = re.compile(r"([0-9]{1,14})\.([A-Za-z0-9-]{1,64})")
"""Milliseconds up to the year 5138, and a delivery as the store names them: no other text reaches a statement."""


def cursor_text(cursor: Cursor) -> str:
    """A cursor as it stands in an address."""
    return f"{to_ms(cursor.created_at)}.{cursor.delivery}"


def parse_cursor(text: str) -> Cursor | None:
    """A cursor as it stood in an address; None where it is none."""
    found = _CURSOR.fullmatch(text)
    return None if found is None else Cursor(from_ms(int(found[1])), found[2])
