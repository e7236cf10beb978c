"""Which tests evidence can be made of: a data file, and a file of the user's own beside it."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, get_args

from gateway.errors import ConfigError
from gateway.package.types import Change

ASKING = ("existence", "find", "locate", "sets", "links", "retrieve")
FEEDING = ("feed", "replace")
_ACTION = re.compile(r'action="([^"]*)"')
STEPS = frozenset({*ASKING, *FEEDING, *get_args(Change)})
_ADVICE = "Les étapes permises sont dites en tête de config/evidence.toml."


@dataclass(frozen=True, slots=True)
class EvidenceTest:
    """One test: the steps that are run, in their order, on one document."""

    code: str
    title: str
    steps: tuple[str, ...]

    def as_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        return {"code": self.code, "title": self.title, "steps": list(self.steps)}


@dataclass(frozen=True, slots=True)
class Catalogue:
    """Every test by its code, the addresses never to be asked, and what a request is called.

    By its SOAP action (`transactions`), else by the first pattern of `lines` that its start line matches.
    """

    tests: dict[str, EvidenceTest]
    transactions: dict[str, str] = field(default_factory=dict)
    lines: tuple[tuple[str, str], ...] = ()
    refused_hosts: frozenset[str] = frozenset()

    def name(self, request: bytes) -> str:
        """What a recorded request is: `TD2.1`, `ITI-67`; `HTTP` when nothing says so."""
        head = request.partition(b"\r\n\r\n")[0].decode("latin-1")
        action = _ACTION.search(head)
        if action is not None and action[1] in self.transactions:
            return self.transactions[action[1]]
        return next((name for pattern, name in self.lines if re.match(pattern, head)), "HTTP")

    def find(self, code: str) -> EvidenceTest:
        """The test of that code. Raises ConfigError (EVD-003)."""
        if code not in self.tests:
            raise ConfigError("EVD-003", f"Test inconnu : {code}.", "La liste : kine-gateway evidence --list")
        return self.tests[code]


def load(shipped: str, own: Path | None) -> Catalogue:
    """The tests of the shipped file, and those of the user's own file. Raises ConfigError (EVD-009)."""
    table = tomllib.loads(shipped)
    tests = _tests(table.get("test", ()))
    if own is not None:
        try:
            tests |= _tests(tomllib.loads(own.read_text(encoding="utf-8")).get("test", ()))
        except (OSError, ValueError) as fault:
            raise ConfigError("EVD-009", f"Fichier de tests illisible : {own.name} ({fault}).", _ADVICE) from fault
    hosts = frozenset(table.get("refused", {}).get("hosts", ()))
    lines = tuple((str(row["pattern"]), str(row["name"])) for row in table.get("fhir", ()))
    return Catalogue(tests, table.get("transactions", {}), lines, hosts)


def _tests(rows: Sequence[dict[str, Any]]) -> dict[str, EvidenceTest]:
    return {test.code: test for test in map(_test, rows)}


def _test(row: dict[str, Any]) -> EvidenceTest:
    code, steps = str(row.get("code", "")), tuple(row.get("steps", ()))
    unknown = [step for step in steps if step not in STEPS]
    if not code or not steps or unknown:
        raise ConfigError(
            "EVD-009", f"Test {code or 'sans code'} : étapes {', '.join(unknown) or 'absentes'}.", _ADVICE
        )
    if steps[0] not in {"existence", "feed", "find"} or _too_early(steps):
        raise ConfigError("EVD-009", f"Test {code} : une étape porte sur un document qui n'est pas versé.", _ADVICE)
    return EvidenceTest(code, str(row.get("title", "")), steps)


def _too_early(steps: tuple[str, ...]) -> bool:
    """Whether a step is about a document that no step before it has fed."""
    return any(
        "feed" not in steps[:place] and step not in {"existence", "find", "feed"} for place, step in enumerate(steps)
    )
