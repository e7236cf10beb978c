"""What a delivery must be after each step, written out from DESIGN §4 a second time: nothing of the store's code."""

from __future__ import annotations

from dataclasses import dataclass

ACCOUNTS, CHANNELS, LEASE, SETTLE = ("cabinet", "autre"), ("mssante", "dmp"), 60.0, 30.0
FLYING, WAITING = {"sending", "transmitting"}, {"prepared", "retry", "waiting_for_session"}
OVER = {"sent", "impossible", "handed_over", "superseded", "dead", "cancelled"}
STOPPABLE = WAITING | {"held", "in_doubt", "dead"}
ACTIONS = {
    "hold": (WAITING, "held"),
    "release": ({"held"}, "prepared"),
    "cancel": (STOPPABLE, "cancelled"),
    "retry": ({"retry", "waiting_for_session", "dead", "impossible", "in_doubt"}, "retry"),
    "handed": (STOPPABLE | {"impossible"}, "handed_over"),
    "confirm_sent": ({"in_doubt"}, "sent"),
}
RESULTS = {
    "taken": (FLYING | {"in_doubt"}, "sent"),
    "failed": (FLYING | {"in_doubt"}, "retry"),
    "refused": (FLYING | {"in_doubt"}, "dead"),
    "gave_up": (FLYING | {"in_doubt"}, "dead"),
    "no_destination": (FLYING | {"in_doubt"}, "impossible"),
    "misconfigured": (FLYING, "retry"),
    "session_needed": (FLYING, "waiting_for_session"),
    "doubt": (FLYING, "in_doubt"),
    "given_back": (FLYING, "retry"),
    "still_in_doubt": ({"in_doubt"}, "in_doubt"),
}
LATER = {
    "none": {"delivered", "processed", "integrated", "refused"},
    "awaited": {"delivered", "processed", "integrated", "refused"},
    "delivered": {"processed", "integrated", "refused"},
    "processed": {"integrated", "refused"},
    "refused": {"processed", "integrated"},
    "integrated": set[str](),
}


@dataclass
class Model:
    """What a delivery must be. Times in milliseconds of the wall clock."""

    document: str
    account: str
    channel: str
    priority: int
    number: int
    state: str
    due: int | None
    changed: int
    receipt: str = "none"
    fence: int = 0
    attempts: int = 0
    lease: int | None = None

    def move(self, state: str, now: int, due: int | None = None) -> None:
        self.state, self.due, self.changed, self.lease = state, due, now, None

    def prove(self, now: int) -> None:
        """A receipt is there: nothing is sent again."""
        proven = self.receipt not in {"none", "awaited", "overdue"}
        if proven and self.state in {"retry", "waiting_for_session", "held", "in_doubt", "dead"}:
            self.move("sent", now)
