"""Intake: one dropped file becomes a committed document, a report, or stays where it is. Never lost."""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass

from gateway.api import Gateway
from gateway.errors import (
    ConflictError,
    InputError,
    NotFoundError,
    PackageError,
    RenderError,
    StateError,
    StoreError,
)
from gateway.findings import Finding, error
from gateway.platform import UnsafeFileError
from gateway.records.action import Action
from gateway.records.level1 import AnySubmission, parse_any
from gateway.records.submission import PREVIOUS
from gateway.sidecar import actions
from gateway.sidecar.folder import Drop, Folder

log = logging.getLogger("gateway.sidecar")

SETTLE_SECONDS = 5.0
"""What cannot be read yet is left alone while it is younger than this: its writer may not have finished."""


@dataclass(slots=True)
class Intake:
    """Takes files of one account's folder into the gateway."""

    gateway: Gateway
    folder: Folder
    account: str

    def pass_once(self) -> list[str]:
        """Look at every waiting file once. Returns the ids of the documents that were touched.

        A fault of one file never stops the others; a fault of the store leaves the file for the next pass.
        """
        touched = []
        for drop in self.folder.scan():
            try:
                document = self._take(drop)
            except (StoreError, OSError) as fault:
                log.warning("intake_postponed", extra={"code": getattr(fault, "code", type(fault).__name__)})
                continue
            if document is not None:
                touched.append(document)
        return touched

    def _take(self, drop: Drop) -> str | None:
        if drop.kind == "directory":
            return None if _is_young(drop) else self._reject(drop, [_directory()])
        try:
            data = self.folder.read(drop)
        except UnsafeFileError as fault:
            return self._reject(drop, [error(fault.code, "", fault.message, fault.advice)])
        except FileNotFoundError:
            return None
        if drop.kind in {"submission", "archive"}:
            return self._submission(drop, data)
        if drop.kind == "action":
            return self._action(drop, data)
        return self._reject(drop, [_unknown_file()])

    def _submission(self, drop: Drop, content: bytes) -> str | None:
        data = self._meant(drop, content)
        if data is None:
            return self._reject(drop, [_no_previous()])
        report = self.gateway.check(data, account=self.account)
        if not report.ok:
            if report.unreadable and _is_young(drop):
                return None
            return self._reject(drop, report.findings)
        try:
            accepted = self.gateway.submit(data)
        except InputError as fault:
            return self._reject(drop, fault.findings)
        except ConflictError as fault:
            return self._reject(drop, [error(fault.code, "/key", fault.message, fault.advice)])
        self._status(drop.name, accepted.document_id, report.findings)
        self.folder.take(drop)
        return accepted.document_id

    def _meant(self, drop: Drop, content: bytes) -> bytes | AnySubmission | None:
        """The submission with `@previous` resolved: the document that its own name stands for. None: there is none."""
        from gateway.engine.accept import previous

        may_correct = drop.kind == "archive" or PREVIOUS.encode() in content
        submission = parse_any(content)[0] if may_correct else None
        if submission is None or submission.replaces != PREVIOUS:
            return content
        known = self.folder.statuses().get(drop.name, {}).get("document_id")
        return None if known is None else previous(self.gateway.store, submission, str(known))

    def _status(self, name: str, document_id: str, findings: tuple[Finding, ...]) -> None:
        from gateway.sidecar.status import status_file

        self.folder.write_status(name, status_file(self.gateway.status(document_id), findings))

    def _action(self, drop: Drop, data: bytes) -> str | None:
        action, findings = actions.parse(data)
        if action is None:
            return self._reject(drop, findings)
        document = action.document or self.folder.statuses().get(drop.name, {}).get("document_id")
        if document is None:
            return self._reject(drop, [_unknown_document()])
        try:
            self._carry_out(document, action)
        except InputError as fault:
            return self._reject(drop, fault.findings)
        except (NotFoundError, StateError, ConflictError, PackageError, RenderError) as fault:
            return self._reject(drop, [error(fault.code, "", fault.message, fault.advice)])
        self.folder.take(drop)
        return str(document)

    def _carry_out(self, document: str, action: Action) -> None:
        if action.action != "print":
            actions.apply(self.gateway, document, action)
            return
        for delivery, pdf in actions.to_print(self.gateway, document, action).items():
            self.folder.write_printable(delivery, pdf)

    def _reject(self, drop: Drop, findings: tuple[Finding, ...] | list[Finding]) -> str | None:
        """Move the file aside. No document was touched, whence None."""
        self.folder.reject(drop, findings)
        log.warning("file_rejected", extra={"account": self.account, "codes": [f.code for f in findings]})
        return None


def _is_young(drop: Drop) -> bool:
    try:
        return time.time() - drop.path.stat().st_mtime < SETTLE_SECONDS
    except OSError:
        return True


def _unknown_file() -> Finding:
    return error(
        "FLD-001",
        "",
        "Ce type de fichier n'est pas pris en charge.",
        "Déposer NOM.json, NOM.zip ou NOM.action.json (docs/folder.md).",
    )


def _directory() -> Finding:
    return error(
        "FLD-004",
        "",
        "C'est un dossier : rien de ce qu'il contient n'a été envoyé.",
        "Déposer chaque fichier lui-même dans « new », et non le dossier qui les contient.",
    )


def _no_previous() -> Finding:
    return error(
        "FLD-003",
        "/replaces",
        "Aucun document connu sous ce nom : il n'y a rien à corriger.",
        "Reprendre le nom du fichier d'origine, ou donner dans « replaces » le document_id de son fichier d'état.",
    )


def _unknown_document() -> Finding:
    return error(
        "FLD-002", "/document", "Aucun document connu sous ce nom.", "Donner document, lu dans le fichier d'état."
    )
