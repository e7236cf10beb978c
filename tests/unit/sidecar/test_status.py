"""Who has to act on a delivery: the gateway, which asks the DMP about a lost answer, or a person."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from gateway.sidecar.status import needs_person, next_step, pending
from gateway.views import DeliveryView

NOW = datetime(2026, 11, 22, tzinfo=UTC)


def delivery(channel: str, transport: str, reason: str | None, due: datetime | None = None) -> DeliveryView:
    return DeliveryView("d", "x", "cabinet", channel, channel, channel, transport, "none", 1, reason, None, due, NOW)


@pytest.mark.parametrize(
    ("channel", "reason", "due", "person"),
    [
        ("dmp", "DMP-DOUBT-LOST", NOW, False),
        ("dmp", "ENG-WORKER-LOST", NOW, False),
        ("dmp", "DMP-QUERY-REFUSED", NOW, True),
        ("dmp", "ENG-RESTORED", NOW, True),
        ("dmp", "DMP-DOUBT-LOST", None, True),  # left to a person by the setting
        ("mssante", "MSS-DOUBT-LOST", None, True),
        ("mssante", "ENG-WORKER-LOST", NOW, True),  # nobody can be asked about a mail
    ],
)
def test_a_doubt_that_the_gateway_settles_needs_nobody(
    channel: str, reason: str, due: datetime | None, person: bool
) -> None:
    doubt = delivery(channel, "in_doubt", reason, due)
    assert (needs_person(doubt), pending(doubt)) == (person, not person)
    assert next_step(doubt)


@pytest.mark.parametrize(("transport", "person"), [("retry", False), ("dead", True), ("sent", False)])
def test_other_states_are_as_before(transport: str, person: bool) -> None:
    assert needs_person(delivery("dmp", transport, "DMP-NOT-THERE")) is person
