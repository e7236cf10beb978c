"""A store in a folder of its own, and requests to put in it."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime
from enum import Enum
from hashlib import sha256
from pathlib import Path
from typing import Any

import psycopg

from gateway import store
from gateway.clock import FrozenClock, SeededRandomness
from gateway.package.types import MailContext, context_to_json
from gateway.settings import Settings
from gateway.store.base import AcceptRequest, Blob, PlannedDelivery, Progress, Wanted
from gateway.store.outbox import Outbox
from gateway.store.sqlite import SqliteDatabase

__all__ = ["Blob", "Outbox", "Progress"]
START = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
SECRET = "MARTINEZ-LEFEVRE"  # stands for everything that names a person


def in_file(folder: Path) -> str:
    """The store of a folder, on SQLite."""
    return f"sqlite:///{folder / 'store' / 'gateway.db'}"


url_of = in_file
"""Where the store of a folder is; the fixture `engine` (engines.py) puts it elsewhere."""


def nowhere() -> list[Path]:
    """Folders of the server: SQLite has none."""
    return []


server_folders = nowhere


def settings(folder: Path, **changes: Any) -> Settings:
    account = {
        "rpps": "10000000000",
        "mailbox": "kine@example.mssante.fr",
        "display_name": "M._Jean_TEST_Cabinet",
        "oid_root": "1.2.3",
        "nil": "NIL",
    }
    value: dict[str, Any] = {
        "store": {"url": url_of(folder)},
        "sealing": {"key_file": folder / "keys" / "master.key"},
        "journal": {"checkpoint_dir": folder / "checkpoints", "key_file": folder / "keys" / "journal.pem"},
        "trust_space": {"file": folder / "trust.toml"},
        "account": [{**account, "id": "cabinet"}, {**account, "id": "autre"}],
    }
    return Settings.model_validate({**value, **changes})


def clock() -> FrozenClock:
    return FrozenClock(START)


def open_store(folder: Path, at: FrozenClock | None = None, seed: str = "store", **changes: Any) -> Outbox:
    opened = store.open(settings(folder, **changes), at or clock(), SeededRandomness(seed))
    assert isinstance(opened, Outbox)
    return opened


def mail_context(to: str = f"{SECRET}@example.mssante.fr") -> bytes:
    return context_to_json(MailContext("kine@example.mssante.fr", to, "<1@kine>", "1"))


def mail(role: str = "medecin_traitant", **changes: Any) -> PlannedDelivery:
    message = Blob("message", "message/rfc822", f"Subject: {role} {SECRET}\r\n".encode())
    planned = PlannedDelivery("medecin_traitant", role, "mssante", parts=(message,), context=mail_context())
    return replace(planned, **changes)


def dmp(**changes: Any) -> PlannedDelivery:
    parts = (Blob("metadata", "application/xml", b"<m/>"), Blob("document", "application/xml", b"<cda/>"))
    return replace(mail("dmp"), **({"destination": "dmp", "channel": "dmp", "parts": parts} | changes))


def request(name: str = "a", *deliveries: PlannedDelivery, **changes: Any) -> AcceptRequest:
    content = f"{name} {SECRET}".encode()
    made = AcceptRequest(
        account="cabinet",
        key=f"key-{name}-{SECRET}",
        content_sha256=sha256(content).hexdigest(),
        patient=f"{name}|{SECRET}",
        kind="assessment",
        document_type="11490-0",
        document_date=date(2026, 3, 1),
        submission=content,
        renderings=(
            Blob("cda", "application/xml", b"<cda/>" + base64.b64encode(content)),
            Blob("pdf", "application/pdf", b"%PDF-1.4 " + content),
        ),
        deliveries=deliveries or (mail(), dmp()),
        findings=("ACC-001",),
        mapping_pack="2026.11",
    )
    return replace(made, **changes)


def wanted(limit: int = 10, **changes: Any) -> Wanted:
    return Wanted(**({"worker": "w1", "lease": 60.0, "limit": limit} | changes))


def sql(store: Outbox, text: str, values: Sequence[Any] = (), *, triggers: bool = True) -> list[tuple[Any, ...]]:
    """A statement of the test's own, `?` for each value, past the store: what no code of ours would do.

    `triggers` off: as the owner of a server can do it.
    """
    database: Any = store.core.db
    if isinstance(database, SqliteDatabase):
        return [tuple(row) for row in database._connection.execute(text, values).fetchall()]
    with psycopg.connect(**database.dsn.parameters, autocommit=True) as connection:
        if not triggers:
            connection.execute("SET session_replication_role = replica")
        found = connection.execute(text.replace("?", "%s"), [_plain(value) for value in values])
        return found.fetchall() if found.description else []


def _plain(value: Any) -> Any:
    return value.value if isinstance(value, Enum) else value


def dump(store: Outbox) -> str:
    """Everything that the database holds, as text; bytes as they are, so that clear ones show."""
    database: Any = store.core.db
    if isinstance(database, SqliteDatabase):
        names = sql(store, "SELECT name FROM sqlite_schema WHERE type = 'table'")
    else:
        names = sql(store, "SELECT tablename FROM pg_tables WHERE schemaname = current_schema()")
    rows = [row for (name,) in names for row in sql(store, f"SELECT * FROM {name}")]
    return "\n".join(str(value) for row in rows for value in row)
