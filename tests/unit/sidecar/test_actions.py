"""Action files: read strictly, refused with a finding, never an exception."""

from __future__ import annotations

import json
from typing import Any

import pytest

from gateway.sidecar.actions import parse

GOOD = {"format": "kine-gateway/action/1", "action": "retry", "by": "Mme Martin", "reason": "adresse corrigée"}


def test_a_good_action_is_read() -> None:
    action, findings = parse(json.dumps(GOOD).encode())
    assert not findings
    assert action is not None
    assert (action.action, action.by) == ("retry", "Mme Martin")


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"action": "explode"}, "ACT-002"),
        ({"by": None}, "ACT-002"),
        ({"reason": "a\x00b"}, "ACT-002"),
        ({"surprise": 1}, "ACT-002"),
        ({"action": "handed_over"}, "ACT-003"),
        ({"action": "handed_over", "means": "pigeon"}, "ACT-002"),
        ({"action": "handed_over", "means": "courrier", "at": "2026-11-22T10:00:00"}, "ACT-002"),
    ],
)
def test_a_bad_action_is_a_finding(change: dict[str, Any], code: str) -> None:
    action, findings = parse(json.dumps({**GOOD, **change}).encode())
    assert action is None
    assert findings
    assert findings[0].code == code
    assert findings[0].advice


@pytest.mark.parametrize("data", [b"", b"[", b"[1]", b"\xff\xfe{", b"null", b"[" * 100_000])
def test_rubbish_is_a_finding(data: bytes) -> None:
    action, findings = parse(data)
    assert action is None
    assert findings
