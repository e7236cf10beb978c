"""Every reason that a channel can give has its French advice, and a passing one does not outlive the attempts."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from gateway import wording
from tests.unit.channels.test_mssante import ROWS

REASON = re.compile(r"(?:MSS|DMP)-[A-Z][A-Z0-9]*(?:-[A-Z0-9]+)*")
SILENT = {"MSS-250", "MSS-READY"}


def written_in(root: Path) -> set[str]:
    """Reasons that stand as literals in the channels, TLS suffixes with both prefixes."""
    found: set[str] = set()
    for path in (root / "gateway" / "channels").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                if REASON.fullmatch(node.value):
                    found.add(node.value)
                elif re.fullmatch(r"TLS(-[A-Z]+)?", node.value):
                    found |= {f"MSS-{node.value}", f"DMP-{node.value}"}
    return found


def test_literals_are_found(root: Path) -> None:
    assert {"MSS-TRUST-SPACE", "DMP-VIHF", "DMP-TLS-VERIFY", "MSS-DOUBT-LOST"} <= written_in(root)


def test_every_reason_says_what_to_do(root: Path) -> None:
    reasons = written_in(root) | {reason for _, _, _, reason, _ in ROWS}
    reasons |= {f"DMP-HTTP-{status}" for status in (302, 403, 404, 408, 413, 429, 500, 502, 503, 504)}
    reasons |= {"DMP-XDSRegistryMetadataError", "DMP-XDSRepositoryBusy", "DMP-InvalidDocumentContent"}
    general = {state: wording.advice(state, "none", None) for state in ("retry", "dead", "in_doubt", "impossible")}
    for reason in reasons - SILENT:
        said = wording.advice("retry", "none", reason)
        assert said, reason
        assert said not in general.values(), reason


@pytest.mark.parametrize("reason", ["MSS-451-4.3.0", "MSS-CONNECT", "DMP-XDSRepositoryBusy", "DMP-HTTP-503"])
def test_advice_to_wait_ends_with_the_attempts(reason: str) -> None:
    said = wording.advice("retry", "none", reason)
    assert "rien à faire" in said or "seuls" in said
    assert wording.advice("dead", "none", reason) == wording.advice("dead", "none", None)


def test_precise_before_general() -> None:
    assert "Annuaire" in wording.advice("dead", "none", "MSS-550-5.1.1")
    assert wording.advice("dead", "none", "MSS-550-5.1.1") != wording.advice("dead", "none", "MSS-550")
    assert wording.advice("dead", "none", "MSS-571-5.6.1") == wording.advice("dead", "none", "MSS-500")
