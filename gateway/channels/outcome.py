"""What a channel answers: one of seven classes, each with the server's own code and text kept (DESIGN §4 rule 5)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from gateway.package.types import Package


class Verdict(StrEnum):
    """Class of an outcome, and so what the engine does next."""

    ACCEPTED = "accepted"
    """The other side has it: `sent`."""
    TRANSIENT = "transient"
    """Nothing was accepted and time may mend it: retry by schedule."""
    PERMANENT = "permanent"
    """Refused for good: `dead`, tell a person."""
    CONFIGURATION = "configuration"
    """Ours to mend (certificate, trust anchor, account): pause the channel, burn no schedule."""
    SESSION = "session"
    """Only a person can renew the token or card: `waiting_for_session`."""
    IMPOSSIBLE = "impossible"
    """The destination does not exist or refuses on principle (no DMP, opposition): an end, not an error."""
    IN_DOUBT = "in_doubt"
    """The bytes may have been taken and no answer came: settle by evidence, never resend blindly."""


_RETRYABLE_STATUSES = frozenset({408, 425, 429})
_ACCESS_STATUSES = frozenset({401, 403, 404, 405, 407, 421, 495, 496})


def of_http_status(status: int) -> Verdict:
    """Class of an HTTP answer that says nothing more than its status (RFC 9110 §15), and did nothing."""
    if status >= 500 or status in _RETRYABLE_STATUSES:
        return Verdict.TRANSIENT
    if status in _ACCESS_STATUSES or 300 <= status < 400:
        return Verdict.CONFIGURATION
    return Verdict.PERMANENT


@dataclass(frozen=True, slots=True)
class Outcome:
    """What happened to one attempt.

    `reason` is a stable code (`MSS-451`, `DMP-XDSRepositoryBusy`), `text` the server's reply scrubbed of
    identity, `reference` the remote receipt (queue id, submission set id), `retry_after` seconds if the server said.
    """

    verdict: Verdict
    reason: str
    text: str = ""
    reference: str | None = None
    retry_after: float | None = None
    host: str | None = None


BeforeCommit = Callable[[], Awaitable[None]]
"""Called once, just before DATA or the POST: checks the lease and makes `transmitting` durable.

Raises LeaseLostError.
"""


class Channel(Protocol):
    """A way out. Knows nothing of the store; raises nothing but LeaseLostError."""

    async def send(self, package: Package, before_commit: BeforeCommit) -> Outcome:
        """Try once. Network failures come back as outcomes."""
        ...

    async def resolve(self, package: Package) -> Outcome:
        """Was it accepted? With evidence ACCEPTED, TRANSIENT (proven not there) or PERMANENT (something else is
        there in its place); without, IN_DOUBT, or CONFIGURATION when it is ours to mend before one can ask.
        """
        ...

    async def aclose(self) -> None:
        """Close connections."""
        ...
