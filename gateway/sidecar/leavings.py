"""What an erased document leaves in an outbox folder: its status files, what lies there to be printed, what was kept.

The names of those files are the writer's own and may be the patient's. Refused files, and those that nobody has taken
over yet, are a person's business and stay.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from gateway import platform
from gateway.engine.stored import content_hash
from gateway.records.level1 import parse_any

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from gateway.sidecar.folder import Folder
    from gateway.store.base import DocumentRow


def sweep(folder: Folder, row: DocumentRow) -> int:
    """Remove what is left of one erased document. Returns how many files went. Raises OSError."""
    found = [*_statuses(folder, row.id), *_printed(folder, row), *_kept(folder, row)]
    for path in found:
        platform.remove(path)
    return len(found)


def _statuses(folder: Folder, document: str) -> Iterable[Path]:
    return [path for path in _json_files(folder.status) if _document(path) == document]


def _printed(folder: Folder, row: DocumentRow) -> Iterable[Path]:
    """Sheets are named after the delivery; the document itself after the file that it came in."""
    names = {*row.delivery_ids}
    names |= {path.stem for path in _statuses(folder, row.id) if "~" not in path.stem}
    return [path for name in names if (path := folder.printable / f"{name}.pdf").exists()]


def _kept(folder: Folder, row: DocumentRow) -> Iterable[Path]:
    """Files of `sidecar.keep` that mean this document: told by their content, for a name may be used again."""
    if not folder.accepted.is_dir():
        return []
    files = [path for path in folder.accepted.iterdir() if path.is_file()]
    return [path for path in files if _means(path, row)]


def _means(path: Path, row: DocumentRow) -> bool:
    parsed, _ = parse_any(path.read_bytes())
    if parsed is None:
        return False
    if parsed.replaces is not None:  # `@previous` was resolved before it was hashed
        parsed = parsed.model_copy(update={"replaces": row.replaces})
    return content_hash(parsed) == row.content_sha256


def _json_files(folder: Path) -> list[Path]:
    return sorted(folder.glob("*.json")) if folder.is_dir() else []


def _document(path: Path) -> str | None:
    try:
        value = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError):
        return None
    return value.get("document_id") if isinstance(value, dict) else None
