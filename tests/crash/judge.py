"""What became of everything: the store, its journal and the witness compared, delivery by delivery."""

from __future__ import annotations

import json
import sqlite3
from collections import Counter
from collections.abc import Iterable
from contextlib import closing
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.crash import papers, witness
from tests.crash.crew import answered

if TYPE_CHECKING:
    from gateway.api import Gateway
    from gateway.store.base import DeliveryRow

DOUBTS = ("doubt", "recovered", "still_in_doubt")
"""Events after which the journal says that a delivery may have arrived."""
AGAIN = ("resend_decided", "resolving")
"""Events by which a delivery in doubt is looked at or sent again, by a policy that somebody chose."""


@dataclass
class Verdict:
    """The printed result. `faults` empty: the promise held."""

    documents: int = 0
    deliveries: int = 0
    lost: int = 0
    visible_duplicates: int = 0
    duplicates_seen_and_said: int = 0
    refused_by_the_dmp_as_already_there: int = 0
    sent: int = 0
    undecided: dict[str, int] = field(default_factory=dict)
    undecided_that_had_arrived: int = 0
    receipts: dict[str, int] = field(default_factory=dict)
    journal_records: int = 0
    journal_verified: bool = False
    checkpoints: int = 0
    integrity_check: str = ""
    states_equal_to_journal: bool = False
    witness_equal_to_store: bool = False
    faults: list[str] = field(default_factory=list)

    def as_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        return asdict(self)


def judge(gateway: Gateway, folder: Path, expected: int) -> Verdict:
    """Compare. `expected`: documents that were dropped or submitted."""
    from gateway.store.base import Filter

    found, received = Verdict(), witness.counted(folder)
    rows = gateway.store.deliveries(Filter(limit=10 * papers.DESTINATIONS * expected + 10))
    own = _own(folder)
    others = [row for row in rows if row.purpose != "document" or row.document_id in own]
    rows = [row for row in rows if row.purpose == "document" and row.document_id not in own]
    found.deliveries, found.documents = len(rows), len({row.document_id for row in rows})
    _nothing_lost(found, gateway, folder, rows, expected)
    _counts(found, gateway, rows, received)
    erased = {name for names in own.values() for name in names}
    _strangers(found, gateway, [*rows, *others], received, erased)
    _states(found, gateway, rows)
    _journal(found, gateway)
    _integrity(found, gateway)
    return found


def _nothing_lost(found: Verdict, gateway: Gateway, folder: Path, rows: Iterable[DeliveryRow], expected: int) -> None:
    """Every document is there once, with its three deliveries, and under the id that was answered."""
    of = Counter(row.document_id for row in rows)
    ids = answered(folder) | _statuses(folder)
    found.lost = expected - len(ids.keys() & set(range(expected)))
    if found.lost or len(set(ids.values())) != expected or set(of) != set(ids.values()):
        found.faults.append(f"{found.lost} documents lost, {len(set(of) - set(ids.values()))} invented")
    wrong = [document for document, number in of.items() if number != papers.DESTINATIONS]
    if wrong:
        found.faults.append(f"{len(wrong)} documents without three deliveries")
    keys = {gateway.store.document(document).account for document in list(of)[:50]}
    if not keys <= set(papers.ACCOUNTS):
        found.faults.append("documents of other accounts")


def _statuses(folder: Path) -> dict[int, str]:
    """Documents whose status file was written, each with its id; the vendor may have collected it."""
    found = {}
    for path in folder.glob("outbox/*/*/d*.json"):
        if path.parent.name in {"status", "collected"}:
            found[int(path.stem[1:])] = json.loads(path.read_bytes())["document_id"]
    return found


def _counts(found: Verdict, gateway: Gateway, rows: list[DeliveryRow], received: dict[str, Counter[str]]) -> None:
    """What the witness received of each delivery, against what the store says of it."""
    undecided: Counter[str] = Counter()
    for row in rows:
        _, times = _received(gateway, row, received)
        if times > 1:
            _twice(found, gateway, row)
        if row.state == "sent":
            found.sent += 1
            if times == 0:
                found.faults.append(f"{row.id}: sent, and never received")
        elif row.state == "in_doubt" and row.reason:
            undecided[f"{row.channel} {row.reason}"] += 1
            found.undecided_that_had_arrived += times > 0
        else:
            found.faults.append(f"{row.id}: {row.channel} {row.state} {row.reason}")
    found.undecided, found.receipts = dict(undecided), dict(Counter(str(row.receipt) for row in rows))
    found.refused_by_the_dmp_as_already_there = sum((received["dmp"] - received["dmp_kept"]).values())
    found.witness_equal_to_store = not found.faults


def _own(folder: Path) -> dict[str, list[str]]:
    """The operator's own documents, each with the names that the other side knows its deliveries by."""
    path = folder / "own"
    lines = path.read_text(encoding="ascii").splitlines() if path.exists() else []
    return {document: names for document, *names in map(str.split, lines)}


def _strangers(
    found: Verdict,
    gateway: Gateway,
    rows: list[DeliveryRow],
    received: dict[str, Counter[str]],
    erased: set[str],
) -> None:
    """Nothing arrived that the store knows nothing of. `erased`: names that it may have forgotten since."""
    names = {_received(gateway, row, received)[0] for row in rows} | erased
    strangers = (received["mail"].keys() | received["dmp"].keys()) - names
    if strangers:
        found.faults.append(f"{len(strangers)} received that the store does not know: {sorted(strangers)[:5]}")


def _received(gateway: Gateway, row: DeliveryRow, received: dict[str, Counter[str]]) -> tuple[str, int]:
    """The name that the other side knows a delivery by, and how often it arrived whole."""
    name = papers.name_of(gateway, row.id)
    return name, received["mail"][name] + received["dmp"][name]


def _twice(found: Verdict, gateway: Gateway, row: DeliveryRow) -> None:
    """It arrived twice: shown to people as a doubt that somebody's policy settled by sending again, or our fault."""
    events = [json.loads(record)["event"] for record in gateway.store.delivery(row.id).records]
    doubt = next((place for place, event in enumerate(events) if event in DOUBTS), len(events))
    if any(event in AGAIN for event in events[doubt:]):
        found.duplicates_seen_and_said += 1
    else:
        found.visible_duplicates += 1
        found.faults.append(f"{row.id}: received twice without a doubt in between: {events}")


def _states(found: Verdict, gateway: Gateway, rows: list[DeliveryRow]) -> None:
    """Each delivery's state is that of its last journal record that names one."""
    last: dict[str, str] = {}
    for entry in gateway.store.snapshot().records():
        record = json.loads(entry.record)
        if "delivery" in record and "state" in record and record["event"] != "late_result":
            last[record["delivery"]] = record["state"]
    wrong = [row.id for row in rows if last.get(row.id) != row.state]
    found.states_equal_to_journal = not wrong
    if wrong:
        found.faults.append(f"{len(wrong)} states differ from the journal: {wrong[:3]}")


def _journal(found: Verdict, gateway: Gateway) -> None:
    report = gateway.verify_journal()
    found.journal_verified, found.journal_records = report.ok, report.size
    found.checkpoints = report.checkpoints
    if not report.ok:
        found.faults.append(f"journal: {[finding.code for finding in report.findings]}")


def _integrity(found: Verdict, gateway: Gateway) -> None:
    """SQLite's own check; PostgreSQL's is amcheck, over every index, where its extension can be had."""
    url = gateway.settings.store.url
    if url.startswith("sqlite"):
        with closing(sqlite3.connect(url.removeprefix("sqlite:///"))) as connection:
            found.integrity_check = str(connection.execute("PRAGMA integrity_check").fetchone()[0])
    else:
        found.integrity_check = _amcheck(url)
    if not found.integrity_check.startswith("ok"):
        found.faults.append(f"integrity_check: {found.integrity_check}")


def _amcheck(url: str) -> str:
    import psycopg

    with psycopg.connect(url, autocommit=True) as connection:
        schema = connection.execute("SELECT current_schema()").fetchone()
        assert schema is not None
        connection.execute("CREATE EXTENSION IF NOT EXISTS amcheck SCHEMA public")
        checked = connection.execute(
            "SELECT public.bt_index_check(c.oid, true) FROM pg_class c JOIN pg_am a ON a.oid = c.relam"
            " WHERE a.amname = 'btree' AND c.relnamespace = %s::regnamespace",
            [schema[0]],
        ).fetchall()
    return f"ok (amcheck, {len(checked)} indexes)"
