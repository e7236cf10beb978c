"""Putting facts of care in their table, sealed, and reading them back. See `gateway.store.facts`."""

from __future__ import annotations

import json
from dataclasses import asdict
from datetime import date
from functools import cache
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from gateway.errors import StateError
from gateway.store import journal
from gateway.store.core import find_document, from_ms
from gateway.store.facts import CareFacts, EpisodeFacts, LateObligation, NewFacts
from gateway.store.sealed import SealedColumn

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pydantic import TypeAdapter

    from gateway.store.core import Core, Work
    from gateway.store.database import Row

FACTS = SealedColumn("episode_fact", "sealed", "master")
_SALT = 16


@cache
def _adapter() -> TypeAdapter[CareFacts]:
    from pydantic import TypeAdapter

    return TypeAdapter(CareFacts)


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _plain(inner) for name, inner in value.items() if inner is not None}
    if isinstance(value, list | tuple):
        return [_plain(inner) for inner in value]
    return value.isoformat() if isinstance(value, date) else value


def accepted(work: Work, document: str, account: str, patient: str, facts: NewFacts | None) -> str | None:
    """Freeze what a new document brings; without facts, note that they are due. Returns the row's SHA-256."""
    if facts is None:
        work.tx.later("fact_due_insert", document_id=document)
        return None
    return insert(work, document, account, patient, facts)


def insert(work: Work, document: str, account: str, patient: str, facts: NewFacts) -> str:
    """Put the facts of a document in the table. `patient` is whatever identifies him. Returns the row's SHA-256."""
    vault = work.core.vault
    row = {
        "document_id": document,
        "account": account,
        "patient": vault.pseudonym(account, patient),
        "episode": None if facts.episode is None else vault.episode_name(account, patient, facts.episode),
        "author": vault.person_name(facts.author),
    }
    body = {"care": _plain(asdict(facts.care)), "salt": work.core.ids.token(_SALT).hex()}
    key_id = work.master_key()
    sealed = vault.fact_key(document, key_id).seal(journal.canonical(body), FACTS.table, document, FACTS.column)
    work.tx.later("fact_insert", sealed=sealed, key_id=key_id, **row)
    return digest(row, body)


def digest(row: dict[str, Any], body: dict[str, Any]) -> str:
    """SHA-256 (hex) of the canonical JSON of a row: its clear columns and what is sealed, the salt included."""
    clear = {name: value for name, value in row.items() if value is not None}
    return sha256(journal.canonical({**clear, **body})).hexdigest()


def listing(core: Core, account: str | None, episode: str | None) -> list[EpisodeFacts]:
    """See FactStore.facts."""
    with core.db.read() as tx:
        if episode is None:
            rows = tx.all("facts_list", account=account)
        else:
            rows = tx.all("facts_of_episode", account=account, episode=episode)
    return [_opened(core, row) for row in rows]


def _opened(core: Core, row: Row) -> EpisodeFacts:
    document = row["document_id"]
    key = core.vault.fact_key(document, row["key_id"])
    body = json.loads(key.open(row["sealed"], FACTS.table, document, FACTS.column))
    clear = {name: row[name] for name in ("document_id", "account", "patient", "episode", "author")}
    return EpisodeFacts(
        **clear,
        care=_adapter().validate_python(body["care"]),
        accepted_at=from_ms(row["accepted_at"]),
        erased=row["erased_at"] is not None,
        withdrawn=row["withdrawn_at"] is not None,
        replaced_by=row["replaced_by"],
        sha256=digest(clear, body),
    )


def missing(core: Core) -> list[str]:
    """See FactStore.without_facts."""
    with core.db.read() as tx:
        return [row["document_id"] for row in tx.all("fact_due_list")]


def freeze(core: Core, document: str, patient: str, facts: NewFacts) -> None:
    """See FactStore.freeze."""
    with core.write() as work:
        row = find_document(work.tx, document)
        if work.tx.one("fact_get", document_id=document) is not None:
            raise StateError("DOC-002", f"Les faits du document {document} sont déjà figés.")
        work.tx.run("fact_due_delete", document_id=document)
        frozen = insert(work, document, row["account"], patient, facts)
        work.note("facts_frozen", document=document, account=row["account"], facts_sha256=frozen)


def note_late(core: Core, late: Sequence[LateObligation]) -> list[LateObligation]:
    """See FactStore.note_late."""
    if not late:
        return []
    with core.write() as work:
        return [one for one in late if _note_late(work, one)]


def _note_late(work: Work, late: LateObligation) -> bool:
    key = {"account": late.account, "episode": late.episode, "subject": late.subject, "reader": late.reader}
    if not work.tx.run("obligation_alert_put", now=work.ms, **key):
        return False
    due_at = None if late.due_by is None else journal.timestamp(late.due_by)
    about = {"account": late.account, "document": late.near, "kind": late.kind, "role": late.reader}
    work.note("obligation_late", due_at=due_at, reason=late.reason, **about)
    return True
