"""No clinical content and no identity in clear: the files are searched, not the code."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from gateway.engine.events import DeliveryEvent, log_event
from gateway.store.base import Blob, Result
from gateway.store.outbox import Outbox
from gateway.store.states import Event, Receipt, Transport
from tests.unit.store import kit

CHANCE = re.compile(r"[a-z0-9_]*|[0-9A-Z]{1,5}|.{1,3}|[0-9-]{10}")
"""Words of our own vocabulary, and what is so short that any file holds it; dates too, for records have some."""
PUBLIC = {"account", "format", "mode", "status", "role", "side", "code", "department"}


def traits(value: Any, name: str = "") -> Iterator[str]:
    """Every text of a submission that could name somebody or say something of his health."""
    if isinstance(value, dict):
        for key, inner in value.items():
            if key not in PUBLIC:
                yield from traits(inner, key)
    elif isinstance(value, list):
        for inner in value:
            yield from traits(inner, name)
    elif isinstance(value, str) and not CHANCE.fullmatch(value):
        yield value


def cases(root: Path) -> list[Path]:
    return sorted((root / "fixtures" / "cases").glob("*.json"))


def everything_written(folder: Path) -> bytes:
    """The gateway's files; and on PostgreSQL the server's: tables, indexes, WAL and log."""
    folders = [folder, *kit.server_folders()]
    return b"".join(path.read_bytes() for one in folders for path in sorted(one.rglob("*")) if path.is_file())


@pytest.mark.parametrize("wal", [True, False])
def test_no_trait_of_any_fixture_is_found_in_any_file(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, wal: bool
) -> None:
    found = cases(root)
    assert found, "no fixture to look for"
    monkeypatch.setattr("gateway.store.sqlite.WAL_SAFE", (3, 0, 0) if wal else (9, 0, 0))
    before = everything_written(tmp_path / "data")  # a server's own catalogues know Portugal, and other tests names
    store = kit.open_store(tmp_path / "data")
    hidden: set[str] = set()
    for path in found:
        content = path.read_bytes()
        submission = json.loads(content)
        hidden |= set(traits(submission))
        hidden.add(path.stem)
        live_through_everything(store, path.stem, content, submission, len(hidden))
    everything = everything_written(tmp_path / "data")  # journal files of SQLite included
    assert len(everything) > 100_000
    assert "LE GOFF-ESSAI" in hidden
    assert len(hidden) > 300
    logged = caplog.text
    known, held = {trait for trait in hidden if trait.encode() in before}, kit.dump(store)
    assert len(known) < 10
    clear = [trait for trait in hidden - known if trait.encode() in everything]
    assert clear + [trait for trait in hidden if trait in logged or trait in held] == []
    store.close()
    everything = everything_written(tmp_path / "data")
    assert [trait for trait in hidden - known if trait.encode() in everything] == []
    assert b'"event":"taken"' in everything  # the search does see what is in clear


def live_through_everything(store: Outbox, name: str, content: bytes, submission: dict[str, Any], number: int) -> None:
    """Accept, fail with a talkative server, be held with a talkative reason, be sent, get a receipt."""
    patient = submission["patient"]
    words = " ".join(traits(patient))
    address = "jean.dupont.secret@patient.mssante.fr"
    message = Blob("message", "message/rfc822", content)
    delivery = kit.mail(parts=(message,), context=kit.mail_context(address))
    rendering = Blob("cda", "text/xml", content)
    about: dict[str, Any] = {"key": name, "patient": words, "document_type": f"type-{number}"}  # no likely repeat
    request = kit.request(name, delivery, submission=content, renderings=(rendering,), **about)
    [identity] = store.accept(request).delivery_ids
    logging.getLogger().setLevel(logging.DEBUG)
    [claim] = store.claim(kit.wanted())
    store.mark_transmitting(claim)
    talkative = Result(
        Event.FAILED, Transport.RETRY, "transient", "MSS-451", text=f"<{address}> 1 85 05 78 006 084 91", due_in=0
    )
    store.record(claim, talkative)
    store.act(identity, "hold", by="Secrétariat", reason=f"à voir avec {words}")
    store.act(identity, "release", by="Secrétariat", reason=words)
    [claim] = store.claim(kit.wanted())
    store.record(claim, Result(Event.TAKEN, Transport.SENT, "accepted", "MSS-250", reference="4F2A9C81B3"))
    store.record_receipt(identity, Receipt.DELIVERED, evidence_sha256="00" * 32, code="2.1.5")
    row = store.delivery(identity).row
    log_event(DeliveryEvent(row.changed_at, "taken", row.account, row.channel, row.id, row.document_id))


def test_the_addresses_that_a_delivery_goes_to_are_sealed(store: Outbox, tmp_path: Path) -> None:
    store.accept(kit.request("a", kit.mail(context=kit.mail_context("docteur.cherche@medecin.mssante.fr"))))
    assert b"docteur.cherche" not in everything_written(tmp_path)
    [claim] = store.claim(kit.wanted())
    assert b"docteur.cherche@medecin.mssante.fr" in claim.context
