"""The outbox folder: what a writer drops, what was taken over, what was refused.

    outbox/new/NAME.part -> NAME.json     written, then renamed by the billing software
    outbox/new/NAME.zip                   the same for a PDF: metadata.json and document.pdf
    outbox/new/NAME.action.json           a small order: retry, cancel, readdress, print, withdraw...
    outbox/status/NAME.json               where the document stands, rewritten at each change
    outbox/rejected/NAME.json             a refused file, beside NAME.report.json and NAME.report.txt
    outbox/accepted/NAME.json             only with `sidecar.keep`
    outbox/a_imprimer/NAME.pdf            a document that somebody has to hand over or post
    outbox/a_imprimer/DELIVERY.pdf        the same behind a page to sign, for the patient, or after a `print` order
    outbox/A_FAIRE.html                   what a person has to do

A file leaves `new/` only after the store committed it and its status file is written. The name of a file may
be the patient's: it stays in this folder and reaches neither the store nor a log.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from gateway import platform
from gateway.findings import Finding
from gateway.records.archive import MAX_ARCHIVE
from gateway.records.submission import MAX_BYTES
from gateway.unseen import one_line

MAX_NAME = 180
"""Longest file name taken, in characters: room is needed for the suffixes that the sidecar adds."""

_MAX_OWN = 50_000_000
"""Bytes of a file that the gateway itself wrote here: status, page, sheet to print."""

ACTION_SUFFIX = ".action.json"
_IGNORED = (".part", ".tmp")


@dataclass(frozen=True, slots=True)
class Drop:
    """What lies in `new/`: a submission, a PDF archive, an action, or something the protocol does not know."""

    name: str
    path: Path
    kind: Literal["submission", "archive", "action", "directory", "unknown"]


class Folder:
    """One account's outbox. Every write is atomic; nothing is deleted before it is safe elsewhere."""

    def __init__(self, root: Path, *, keep: bool = False) -> None:
        self.root = root
        self.keep = keep
        self.new = root / "new"
        self.status = root / "status"
        self.rejected = root / "rejected"
        self.accepted = root / "accepted"
        self.printable = root / "a_imprimer"

    def ensure(self) -> None:
        """Create the folders, readable by their owner only."""
        for path in (self.root, self.new, self.status, self.rejected, self.printable):
            platform.make_private_dir(path)
        if self.keep:
            platform.make_private_dir(self.accepted)

    def scan(self) -> list[Drop]:
        """What waits in `new/`, by name. Half-written files (`.part`) are not seen."""
        waiting = sorted(self.new.iterdir())
        return [_drop(path) for path in waiting if not path.name.startswith(".") and path.suffix not in _IGNORED]

    def read(self, drop: Drop) -> bytes:
        """Content of a dropped file. Raises UnsafeFileError on a link, a fifo or an oversize file."""
        return platform.read_regular(drop.path, MAX_ARCHIVE if drop.kind == "archive" else MAX_BYTES)

    def take(self, drop: Drop) -> None:
        """Remove a file whose content is committed (or keep it under `accepted/`)."""
        if self.keep:
            platform.durable_rename(drop.path, _free(self.accepted, drop.path.name))
        else:
            platform.remove(drop.path)

    def reject(self, drop: Drop, findings: Sequence[Finding]) -> Path:
        """Move a refused file aside, with its report for machines and for people. Returns its new path."""
        target = _free(self.rejected, _fitting(drop.path.name))
        stem = target.name.removesuffix(target.suffix)
        report = {"format": "kine-gateway/rejection/1", "file": drop.path.name, "findings": _dicts(findings)}
        platform.write_atomic(self.rejected / f"{stem}.report.json", _json(report))
        platform.write_atomic(self.rejected / f"{stem}.report.txt", _bytes(report_text(drop.path.name, findings)))
        platform.durable_rename(drop.path, target)
        return target

    def rejected_files(self) -> list[Path]:
        """Refused files that still wait for somebody."""
        return sorted(p for p in self.rejected.iterdir() if ".report." not in p.name and not p.name.startswith("."))

    def write_status(self, name: str, value: dict[str, Any]) -> None:
        """Rewrite `status/NAME.json`; the status of another document under the same name is kept aside."""
        path = self.status / f"{name}.json"
        before = _load(path)
        if before and before.get("document_id") != value["document_id"]:
            platform.durable_rename(path, self.status / f"{name}~{before.get('document_id', 'inconnu')}.json")
        if before != value:
            platform.write_atomic(path, _json(value))

    def statuses(self) -> dict[str, dict[str, Any]]:
        """Name -> last written status. The names of documents are known from here alone."""
        found = {path.name.removesuffix(".json"): _load(path) for path in sorted(self.status.glob("*.json"))}
        return {name: value for name, value in found.items() if value and "~" not in name}

    def write_printable(self, name: str, pdf: bytes) -> None:
        """Put the PDF of a document where a person finds it to print."""
        path = self.printable / f"{name}.pdf"
        if _held(path) != pdf:  # a corrected version takes the place of the one before
            platform.write_atomic(path, pdf)

    def has_printable(self, name: str) -> bool:
        """Whether something lies there to be printed under this name."""
        return (self.printable / f"{name}.pdf").exists()

    def drop_printable(self, name: str) -> None:
        """Remove the PDF of a document that nobody has to print any more."""
        platform.remove(self.printable / f"{name}.pdf")

    def write_page(self, html: str) -> None:
        """Rewrite `A_FAIRE.html` if it changed."""
        path = self.root / "A_FAIRE.html"
        data = _bytes(html)
        if _held(path) != data:
            platform.write_atomic(path, data)


def report_text(name: str, findings: Iterable[Finding]) -> str:
    """The report of a refused file, in French, for the person who opens it in a text editor."""
    lines = [f"Le fichier « {one_line(name)} » n'a pas été envoyé.", ""]
    for finding in findings:
        place = f" (champ {finding.path})" if finding.path else ""
        lines.append(f"- [{finding.code}] {finding.message}{place}")
        if finding.advice:
            lines.append(f"  {finding.advice}")
    lines += ["", "Corrigez la saisie, puis déposez à nouveau le document depuis votre logiciel.", ""]
    return "\r\n".join(lines)


def _drop(path: Path) -> Drop:
    name = path.name
    if path.is_dir() and not path.is_symlink():
        return Drop(name, path, "directory")
    if len(name) > MAX_NAME or "~" in name:
        return Drop(name, path, "unknown")
    if name.endswith(ACTION_SUFFIX):
        return Drop(name.removesuffix(ACTION_SUFFIX), path, "action")
    if name.endswith(".json"):
        return Drop(name.removesuffix(".json"), path, "submission")
    if name.endswith(".zip"):
        return Drop(name.removesuffix(".zip"), path, "archive")
    return Drop(name, path, "unknown")


def _free(folder: Path, name: str) -> Path:
    """A path in `folder` that does not exist yet: an earlier file of that name is never overwritten."""
    stem, dot, suffix = name.rpartition(".")
    base, end = (stem, dot + suffix) if stem else (name, "")
    path, n = folder / name, 1
    while path.exists():
        n += 1
        path = folder / f"{base}({n}){end}"
    return path


def _fitting(name: str) -> str:
    """A name with room behind it for what a report adds: a file system takes 255 bytes."""
    if len(name.encode(errors="surrogateescape")) <= MAX_NAME:
        return name
    base, dot, end = name.rpartition(".")
    suffix = dot + end if base and len(end) < 10 else ""
    return name[: MAX_NAME // 4] + "..." + suffix


def _dicts(findings: Iterable[Finding]) -> list[dict[str, str]]:
    return [finding.as_dict() for finding in findings]


def _json(value: dict[str, Any]) -> bytes:
    return _bytes(json.dumps(value, ensure_ascii=False, indent=1) + "\n")


def _bytes(text: str) -> bytes:
    """UTF-8; a question mark for each byte of a file name that is not (a name in Latin-1, say)."""
    return text.encode(errors="replace")


def _load(path: Path) -> dict[str, Any]:
    try:
        value = json.loads(_held(path) or b"")
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def _held(path: Path) -> bytes | None:
    """What the gateway wrote there; None where it is gone, or where somebody put a link, a pipe or a device."""
    try:
        return platform.read_regular(path, _MAX_OWN)
    except (OSError, platform.UnsafeFileError):
        return None
