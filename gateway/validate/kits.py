"""Several kits, pinned and warm: two lines of the ANS schematrons may disagree, so each speaks for itself.

Saxon lives on one thread of its own: the gateway is called from many, and its engine belongs to the one that made it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from gateway import resources
from gateway.errors import ConfigError, MappingError
from gateway.findings import Finding
from gateway.settings import KitSettings, ValidationSettings
from gateway.validate import pin
from gateway.validate.kit import Kit

_LINE = re.compile(r"\(ligne (\d+)\)")


@dataclass(frozen=True, slots=True)
class Verdict:
    """What one kit says of one document."""

    kit: str
    findings: tuple[Finding, ...]


@dataclass(frozen=True, slots=True)
class Advice:
    """Advice in French on the rules whose message this pattern recognises (mappings/kit.toml)."""

    suite: str
    pattern: re.Pattern[str]
    text: str


class Kits:
    """Kits by name, ready to check documents from any thread; close it when done.

    Raises ConfigError: `KIT-001` and `KIT-005` no kit there, `KIT-006` a kit changed since it was pinned.
    """

    def __init__(self, wanted: Sequence[KitSettings], suites: Sequence[str] | None = None) -> None:
        for one in wanted:
            if one.sha256 is not None:
                pin.verify(one.path, one.sha256)
        self._kits = {one.name: Kit(one.path, suites) for one in wanted}
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="kit")

    def check(self, cda: bytes) -> list[Verdict]:
        """What every kit says of a document. Raises ConfigError `KIT-002`, `KIT-003` when a kit cannot work."""
        return self._thread.submit(self._check, cda).result()

    def findings(self, cda: bytes) -> list[Finding]:
        """The same in one list, where `source` names the kit before the rule."""
        return [
            replace(finding, source=f"{verdict.kit} : {finding.source}".removesuffix(" : "))
            for verdict in self.check(cda)
            for finding in verdict.findings
        ]

    def warm(self) -> None:
        """Compile every suite now, not on the first document. Raises ConfigError `KIT-002`, `KIT-003`."""
        self.check(b'<ClinicalDocument xmlns="urn:hl7-org:v3"/>')

    def missing(self) -> dict[str, list[str]]:
        """By kit, the files that its rules name and that it lacks."""
        return {name: kit.missing() for name, kit in self._kits.items()}

    def close(self) -> None:
        """Let the thread go."""
        self._thread.shutdown()

    def _check(self, cda: bytes) -> list[Verdict]:
        return [Verdict(name, tuple(map(advised, kit.check(cda)))) for name, kit in self._kits.items()]


def named(folders: Sequence[Path]) -> list[KitSettings]:
    """Kits without pin, each called by the name of its folder, numbered where two are alike."""
    taken: dict[str, int] = {}
    kits = []
    for folder in folders:
        base = name_of(folder)
        taken[base] = taken.get(base, 0) + 1
        kits.append(KitSettings(path=folder, name=base if taken[base] == 1 else f"{base}-{taken[base]}"))
    return kits


def name_of(folder: Path) -> str:
    """The name that settings allow a kit of this folder."""
    return re.sub(r"[^A-Za-z0-9._-]+", "-", folder.resolve().name).strip("-._")[:60] or "kit"


def suite_of(finding: Finding) -> str:
    """Name of the suite of a kit's finding (`xsd`, `structmin`...), or `preflight`."""
    return finding.code.removeprefix("KIT-").lower() if finding.code.startswith("KIT-") else "preflight"


def line_of(finding: Finding) -> int | None:
    """Line of the document that a finding names."""
    found = _LINE.search(finding.message)
    return int(found[1]) if found else None


def advised(finding: Finding) -> Finding:
    """A finding of a kit with our advice, where the rule is a known one. The message stays as ANS wrote it."""
    if finding.advice:
        return finding
    suite = suite_of(finding)
    text = next((a.text for a in _advice() if a.suite == suite and a.pattern.search(finding.message)), "")
    return replace(finding, advice=text) if text else finding


@cache
def _advice() -> tuple[Advice, ...]:
    import tomllib

    rows: list[dict[str, Any]] = tomllib.loads(resources.read_text("mappings", "kit.toml"))["advice"]
    try:
        return tuple(Advice(row["suite"], re.compile(row["match"]), row["text"]) for row in rows)
    except (KeyError, re.error) as fault:
        raise MappingError("MAP-030", f"mappings/kit.toml est incomplet ou mal formé ({fault}).") from fault


def required(settings: ValidationSettings) -> Kits | None:
    """The kits that every document must pass, None where the configuration asks for none.

    Raises ConfigError: those of `Kits`, and `KIT-002` now when Saxon is not installed.
    """
    if not settings.required:
        return None
    if find_spec("saxonche") is None:
        advice = "Installez kine-gateway[kit] (le paquet saxonche) pour utiliser le kit."
        raise ConfigError("KIT-002", "Le moteur de schématrons n'est pas installé.", advice)
    return Kits(settings.kits)
