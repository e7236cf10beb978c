"""The folder of an evidence run: one file for each frame, an index for programs, a page for people, and digests."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from gateway import platform
from gateway.channels.recording import Frames
from gateway.errors import ConfigError

FORMAT = "kine-gateway/evidence/1"
INDEX, PAGE, DIGESTS, JOURNAL = "index.json", "LISEZMOI.txt", "SHA256SUMS", "journal.jsonl"


@dataclass(slots=True)
class EvidenceFolder:
    """A new or empty folder, private to its owner, that is filled as the exchanges happen.

    `name` says what a request is. `step` is the step under way: what is recorded belongs to it. Called with frames, it
    writes them at once.
    """

    path: Path
    name: Callable[[bytes], str]
    step: str = ""
    exchanges: list[dict[str, Any]] = field(default_factory=list)
    _digests: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Raises ConfigError (EVD-005) when the folder holds anything."""
        if self.path.exists() and (not self.path.is_dir() or any(self.path.iterdir())):
            raise ConfigError(
                "EVD-005",
                f"Le dossier {self.path.name} n'est pas vide.",
                "Des preuves ne s'écrasent pas : autre --out.",
            )
        self.path.mkdir(parents=True, exist_ok=True)
        platform.make_private_dir(self.path / "frames")

    def __call__(self, frames: Frames) -> None:
        """Write the frames of one exchange."""
        name = self.name(frames.request)
        stem = f"frames/{len(self.exchanges) + 1:02}-{self.step}-{name}"
        self.exchanges.append(
            {
                "step": self.step,
                "transaction": name,
                "url": frames.url,
                "started": frames.started.isoformat(timespec="milliseconds"),
                "ended": frames.ended.isoformat(timespec="milliseconds"),
                "tls": frames.tls,
                "status": frames.status,
                "fault": frames.fault,
                "request": self.write(f"{stem}-request.http", frames.request),
                "response": self.write(f"{stem}-response.http", frames.response) if frames.response else None,
            }
        )

    def write(self, name: str, data: bytes) -> dict[str, Any]:
        """One file; its name, size in bytes and SHA-256."""
        platform.write_atomic(self.path / name, data)
        self._digests[name] = hashlib.sha256(data).hexdigest()
        return {"file": name, "bytes": len(data), "sha256": self._digests[name]}

    def finish(self, index: dict[str, Any]) -> None:
        """Write the index, its page and the digests of everything (`sha256sum -c SHA256SUMS`)."""
        self.write(INDEX, json.dumps(index, ensure_ascii=False, indent=1).encode() + b"\n")
        self.write(PAGE, page(index).encode())
        lines = "".join(f"{digest}  {name}\n" for name, digest in sorted(self._digests.items()))
        platform.write_atomic(self.path / DIGESTS, lines.encode())


def page(index: dict[str, Any]) -> str:
    """The index as a page for people, in French."""
    test, account, software = index["test"], index["account"], index["software"]
    lines = [
        f"Test {test['code']} : {test['title']}",
        f"Résultat : {'réussi' if index['ok'] else 'échoué'}",
        f"Du {index['started']} au {index['ended']}",
        f"Service : {account['url']}",
        f"Mode {account['mode']}, VIHF {account['vihf_version']}, signature {account['profile']}",
        f"Homologation : {account['homologation']}",
        f"Logiciel : {software['kine-gateway']} ({software['python']}, {software['openssl']})",
        "",
        "Étapes :",
        *(f"  {one['step']:<12} {_said(one)}" for one in index["steps"]),
        "",
        "Échanges (trames exactes, en-têtes et corps, dans frames/) :",
        *(
            f"  {one['transaction']:<6} {one['started']}  {one['status'] or one['fault']}  {one['request']['file']}"
            for one in index["exchanges"]
        ),
        "",
        "Contrôle : sha256sum -c SHA256SUMS ; le journal de l'essai est dans journal.jsonl (journal verify).",
        "Patient fictif seulement. Les trames contiennent l'identité et les documents de ce patient.",
    ]
    return "\n".join(lines) + "\n"


def _said(step: dict[str, Any]) -> str:
    if step["ok"] is None:
        return "non joué"
    return ("réussi" if step["ok"] else "échoué") + (f" ({step['reason']})" if step["reason"] else "")
