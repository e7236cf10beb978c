"""The ClinicalDocument of every case in fixtures/, with fixed identifiers."""

from __future__ import annotations

import uuid
from pathlib import Path

from gateway import terminology
from gateway.document.build import DocumentIds, build
from gateway.document.model import ClinicalDocument
from gateway.records.submission import Submission, parse
from gateway.settings import AccountSettings

CASES = Path(__file__).resolve().parent.parent / "fixtures" / "cases"
PATHS = sorted(CASES.glob("*.json"))


def submission(path: Path) -> Submission:
    """The case as the gateway reads it."""
    found, faults = parse(path.read_bytes())
    assert found is not None, faults
    return found


def account(of: Submission) -> AccountSettings:
    """An account that fits the case."""
    return AccountSettings(
        id=of.account,
        rpps=of.author.rpps,
        mailbox="expediteur@kine.mssante.example",
        display_name="M_Prénom_NOM_Cabinet",
        oid_root="1.2.250.1.99999.1",
        nil="NIL-0000",
    )


def oid(name: str) -> str:
    """A stable 2.25 OID."""
    return f"2.25.{uuid.uuid5(uuid.NAMESPACE_URL, name).int}"


def document(path: Path) -> ClinicalDocument:
    """What the case becomes."""
    found = submission(path)
    ids = DocumentIds(id=oid(path.name), set_id=oid(f"{path.name}/set"))
    return build(found, account(found), terminology.load(), ids=ids, software="kine-gateway test")
