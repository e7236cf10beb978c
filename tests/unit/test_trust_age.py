"""An old trust-space list is said with each document that relies on it, and stops none."""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from gateway import pipeline, terminology
from gateway.clock import SeededRandomness
from gateway.records.level1 import parse_any
from gateway.rules.trust_space import TrustList
from gateway.settings import FhirSettings, RulesSettings, preview_account

NOW = datetime(2026, 11, 22, 9, 0, tzinfo=UTC)
DOMAINS = frozenset({"medecin.mssante.example", "apercu.invalid", "patient.mssante.fr"})


@pytest.mark.parametrize(("made", "said"), [(date(2026, 11, 1), 0), (date(2026, 9, 1), 1), (date(2027, 1, 1), 1)])
def test_old_list(root: Path, made: date, said: int) -> None:
    submission, _ = parse_any((root / "fixtures" / "cases" / "01_entorse_cheville_bilan.json").read_bytes())
    assert submission is not None
    account = preview_account(submission.account, submission.author.rpps)
    world = pipeline.World(
        terminology.load(), TrustList(DOMAINS, made, "test"), RulesSettings(), FhirSettings(), None, copy=False
    )
    findings, routes = pipeline.examine(submission, account, world, now=NOW, ids=SeededRandomness("x"))
    assert any(route.channel == "mssante" and route.reason is None for route in routes)
    found = [f for f in findings if f.code == "TRS-005"]
    assert len(found) == said
    assert all(f.severity.value == "warning" and f.advice for f in found)
