"""What the journal of a delivery proves, history by history."""

from __future__ import annotations

import json
from typing import Any

import pytest

from gateway.engine.evidence import may_have_arrived


def rec(event: str, state: str = "", fence: int | None = None, **more: Any) -> dict[str, Any]:
    return {"event": event, "state": state, **({} if fence is None else {"fence": fence}), **more}


def attempt(fence: int, event: str, state: str, **more: Any) -> list[dict[str, Any]]:
    return [rec("claimed", "sending", fence), rec("transmit", "transmitting", fence), rec(event, state, fence, **more)]


def asked(fence: int, event: str, state: str) -> list[dict[str, Any]]:
    return [rec("resolving", "in_doubt", fence), rec(event, state, fence)]


def back(code: str, receipt: str = "refused", state: str = "sent") -> dict[str, Any]:
    return rec("receipt", state, receipt=receipt, text=code)


DOUBT = attempt(1, "doubt", "in_doubt")
RESENT = [*DOUBT, rec("resend_decided", "retry")]


@pytest.mark.parametrize(
    ("records", "maybe"),
    [
        ([], False),
        (attempt(1, "refused", "dead"), False),
        ([*attempt(1, "failed", "retry"), *attempt(2, "gave_up", "dead")], False),
        (DOUBT, True),
        ([*RESENT, *attempt(2, "refused", "dead")], True),
        ([*RESENT, *attempt(2, "failed", "retry")], True),
        ([*DOUBT, *asked(2, "failed", "retry")], False),
        ([*RESENT, *attempt(2, "doubt", "in_doubt"), *asked(3, "failed", "retry")], False),
        ([*DOUBT, *asked(2, "still_in_doubt", "in_doubt")], True),
        # A worker that died: before a byte left, after it, and what it learnt all the same.
        ([rec("claimed", "sending", 1), rec("recovered", "retry", 1)], False),
        ([*attempt(1, "recovered", "in_doubt")], True),
        ([*attempt(1, "recovered", "in_doubt"), rec("failed", "retry", 1)], False),
        ([*RESENT, rec("late_result", fence=1, verdict="permanent")], False),
        ([*attempt(1, "failed", "retry"), rec("late_result", fence=1, verdict="accepted")], True),
        # A store from a backup: no attempt can settle that.
        ([rec("restored", "in_doubt"), rec("resend_decided", "retry"), *attempt(1, "refused", "dead")], True),
        # Reports: the mail came back, the reader's own software refused it, and both one after the other.
        ([*attempt(1, "taken", "sent")], True),
        ([*attempt(1, "taken", "sent"), back("MSS-RCPT-5-1-1")], False),
        ([*attempt(1, "taken", "sent"), back("5.1.1")], True),
        ([*attempt(1, "taken", "sent"), back("MSS-RCPT-902")], True),
        ([*attempt(1, "taken", "sent"), back("MSS-RCPT-DELIVERED", "delivered"), back("MSS-RCPT-5-1-1")], True),
        ([*attempt(1, "taken", "sent"), back("MSS-RCPT-5-1-1"), back("MSS-RCPT-PROCESSED", "processed")], True),
        ([*DOUBT, back("MSS-RCPT-5-2-1")], False),
        ([*DOUBT, rec("confirm_sent", "sent")], True),
    ],
)
def test_whether_it_may_have_arrived(records: list[dict[str, Any]], maybe: bool) -> None:
    assert may_have_arrived(map(json.dumps, records)) is maybe
