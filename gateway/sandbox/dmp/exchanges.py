"""Every request that reached the DMP and what it was answered: the audit of the sandbox, and its counters."""

from __future__ import annotations

import json
from collections.abc import Sequence

from gateway.clock import Clock
from gateway.sandbox.dmp.database import Database
from gateway.sandbox.dmp.records import Exchange, NewExchange

KEPT_BODIES = 300
"""Bodies of the last exchanges are kept whole; of older ones only the row, so that the file stays small."""

_ROW = (
    "id, at, transaction_name, path, action, peer, message_id, patient, subjects, outcome, codes, status,"
    " request_headers, {request}, answer_headers, {answer}"
)


class ExchangeLog:
    """The exchanges, oldest first."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    def add(self, new: NewExchange) -> int:
        """Remember one exchange and let go of the bodies of an old one; returns its number."""
        number = self._database.insert(
            "exchange",
            self._clock.now().isoformat(),
            new.transaction,
            new.path,
            new.action,
            new.peer,
            new.message_id,
            new.patient,
            json.dumps(new.subjects),
            new.outcome,
            json.dumps(new.codes),
            new.status,
            json.dumps(new.request_headers),
            new.request,
            json.dumps(new.answer_headers),
            new.answer,
        )
        old = number - KEPT_BODIES
        self._database.rows("UPDATE exchange SET request = NULL, answer = NULL WHERE id = ?", old)
        return number

    def all(self, *, transaction: str = "", about: str = "", last: int = 0) -> list[Exchange]:
        """Exchanges without their bodies, of one transaction or about one identifier; `last`: only so many."""
        columns = _ROW.format(request="NULL", answer="NULL")
        sql = (
            f"SELECT {columns} FROM exchange WHERE (?1 = '' OR transaction_name = ?1) AND"  # noqa: S608 constants
            " (?2 = '' OR EXISTS (SELECT 1 FROM json_each(subjects) WHERE value = ?2)) ORDER BY id DESC LIMIT ?3"
        )
        found = self._database.rows(sql, transaction, about, last or -1)
        return [_exchange(row) for row in reversed(found)]

    def get(self, number: int) -> Exchange | None:
        """One exchange, whole."""
        columns = _ROW.format(request="request", answer="answer")
        found = self._database.rows(f"SELECT {columns} FROM exchange WHERE id = ?", number)  # noqa: S608 constants
        return _exchange(found[0]) if found else None

    def count(self, transaction: str = "", *, about: str = "", outcome: str = "") -> int:
        """How many exchanges there were of a transaction (`TD2.1`), about an identifier, with an outcome."""
        found = self.all(transaction=transaction, about=about)
        return sum(1 for one in found if outcome in {"", one.outcome})


def _exchange(row: Sequence[object]) -> Exchange:
    values = list(row)
    for place in (8, 10):
        values[place] = tuple(json.loads(str(values[place])))
    for place in (12, 14):
        values[place] = tuple((str(name), str(value)) for name, value in json.loads(str(values[place])))
    return Exchange(*values)  # type: ignore[arg-type]
