"""What an account's own mailbox asks of a person: it cannot be read, or a receipt in it was not believed."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from gateway import wording
from gateway.engine import mailwatch
from gateway.sidecar.status import Task

if TYPE_CHECKING:
    from gateway.api import Gateway
    from gateway.engine.events import DeliveryEvent

SHOWN_FOR = timedelta(days=7)
"""How long a receipt that was not believed stays on the to-do page; `receipts loose` shows it for good."""
_TROUBLE = frozenset({mailwatch.MISCONFIGURED, mailwatch.SESSION_NEEDED, mailwatch.UNREACHABLE})


def stopped(gateway: Gateway) -> list[Task]:
    """Line of the to-do page while the gateway has stopped everything by itself. Raises StoreError."""
    words = wording.words()["store"]["stopped"]
    reasons = [one.reason for one in gateway.pauses() if one.account == one.channel == "*" and one.reason in words]
    return [Task(words["name"], words["what"], words[one], words[f"{one}-STEP"], one) for one in reasons]


@dataclass(slots=True)
class Boxes:
    """The mailbox of one account, as far as a person has to know of it."""

    account: str
    trouble: str = ""
    """Code of what keeps it from being read; empty when nothing does."""
    loose: list[dict[str, Any]] = field(default_factory=list)

    def note(self, event: DeliveryEvent) -> None:
        """Remember what the watch over this account's box told."""
        if event.account != self.account:
            return
        if event.event in _TROUBLE:
            self.trouble = event.reason
        elif event.event == mailwatch.BACK:
            self.trouble = ""

    def look(self, gateway: Gateway) -> None:
        """Ask for the receipts that were not believed lately. Raises StoreError."""
        since = gateway.clock.now() - SHOWN_FOR
        self.loose = [one for one in gateway.receipts.loose(self.account) if datetime.fromisoformat(one["at"]) > since]

    def tasks(self) -> list[Task]:
        """Lines of the to-do page."""
        words = wording.words()["box"]
        found = []
        if self.trouble:
            step = wording.mailbox(self.trouble) or words["unread_step"]
            found.append(Task(words["name"], self.account, words["unread"], step, self.trouble))
        for reason, number in sorted(Counter(one["reason"] or "" for one in self.loose).items()):
            meaning = wording.receipt_meaning(reason)
            said = words["loose"].format(number=number)
            found.append(Task(words["name"], self.account, f"{said} {meaning}".strip(), words["loose_step"], reason))
        return found
