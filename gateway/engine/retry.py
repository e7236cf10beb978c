"""What follows an outcome: pure functions of the answer, the schedule's progress and one random number.

Only failures that the other side answered burn the schedule (DESIGN §4 rule 6): the time waited after each is added
up, so a machine switched off or offline for a week burns nothing. tenacity's wait objects draw their own randomness
and know no such sum, so the durable schedule is computed here and tenacity keeps to the in-process seconds.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

from gateway.channels.outcome import Outcome, Verdict
from gateway.store.base import Progress, Result
from gateway.store.states import Event, Receipt, Transport

if TYPE_CHECKING:
    from gateway.settings import RetrySettings

UNREACHABLE = frozenset({"CONNECT", "TIMEOUT"})
"""Parts of the reasons that say that nobody answered (`MSS-CONNECT`)."""
UNASKED = UNREACHABLE | {"TOKEN"}
"""Parts of the reasons of attempts in which the other side was asked nothing (`MSS-TOKEN`: we had no token to show)."""
HOST_OUT = UNREACHABLE | {"LOST", "421", "502", "503", "504"}
"""Parts of the reasons that are the host's fault, not this delivery's: it is left alone for a while."""
LONGEST_UNREACHABLE = 600.0
"""Seconds: a host that was away is tried again soon after it is back, however long it was away."""
SOONEST = 0.01
"""Seconds: the least that a retry waits, so that one pass never meets the same delivery twice."""
REFUSED = "REFUSED"
"""Part of the reason that says that the question itself was refused (`DMP-QUERY-REFUSED`): asking on may not help."""
ABSENT = "ABSENT"
"""Part of the reason that says that what would prove a sending is not there (`MSS-COPY-ABSENT`): it proves nothing."""
RESEND = "ENG-RESEND"
WRONG_CLOCK = "ENG-CLOCK"
"""Reason of what this machine's clock spoilt."""

Policy = Literal["query", "resend", "look", "human", "none"]


@dataclass(frozen=True, slots=True)
class Case:
    """Everything that decides what follows an attempt, but the answer itself.

    `policy` says how a doubt is settled: ask the channel, send again, ask and send again once nothing was found for
    long enough (`look`), leave it to a person, or (`none`) there is nobody to ask until a receipt comes. `receipt`: the
    channel gives receipts. `attempt` counts from 1.
    """

    kind: Literal["send", "resolve"]
    attempt: int
    progress: Progress
    policy: Policy
    receipt: bool


def unreachable(outcome: Outcome) -> bool:
    """Whether nobody answered at all, or nobody was asked: that burns no schedule."""
    return bool(UNASKED & _parts(outcome.reason))


def host_fault(reason: str) -> bool:
    """Whether a failure is the host's, not this delivery's: nobody answered, or the service itself is out."""
    return bool(HOST_OUT & _parts(reason))


def _parts(reason: str) -> set[str]:
    return set(reason.upper().split("-"))


def absent(outcome: Outcome) -> bool:
    """Whether the channel looked for a proof and found none."""
    return outcome.verdict is Verdict.IN_DOUBT and ABSENT in _parts(outcome.reason)


def delay(failures: int, settings: RetrySettings, uniform: float) -> float:
    """Seconds to wait after so many failures: the schedule's step, with full jitter."""
    step = _step(failures, settings)
    return max(SOONEST, step * uniform if settings.jitter else step)


def _step(failures: int, settings: RetrySettings) -> float:
    """A step of the schedule, its last one for ever after."""
    return settings.delays[min(failures, len(settings.delays) - 1)]


def judge(outcome: Outcome, case: Case, settings: RetrySettings, uniform: float) -> Result:
    """What becomes of a delivery after this answer. `uniform` in [0, 1)."""
    return _JUDGES[outcome.verdict](outcome, case, settings, uniform)


def _accepted(outcome: Outcome, case: Case, _settings: RetrySettings, _uniform: float) -> Result:
    receipt = Receipt.AWAITED if case.receipt else Receipt.NONE
    return _result(outcome, case, Event.TAKEN, Transport.SENT, receipt=receipt)


def _transient(outcome: Outcome, case: Case, settings: RetrySettings, uniform: float) -> Result:
    if unreachable(outcome):
        if case.kind == "resolve":  # not reaching the server proves nothing
            return _in_doubt(outcome, case, settings, uniform)
        unanswered = case.attempt - 1 - case.progress.failures
        wait = min(delay(max(0, unanswered), settings, uniform), LONGEST_UNREACHABLE)
        return _result(outcome, case, Event.FAILED, Transport.RETRY, due_in=wait)
    wait = max(delay(case.progress.failures, settings, uniform), outcome.retry_after or 0.0)
    progress = Progress(case.progress.failures + 1, case.progress.burned + wait)
    if progress.burned > settings.give_up_after:
        return _result(outcome, case, Event.GAVE_UP, Transport.DEAD, progress=progress)
    return _result(outcome, case, Event.FAILED, Transport.RETRY, due_in=wait, progress=progress)


def _permanent(outcome: Outcome, case: Case, _settings: RetrySettings, _uniform: float) -> Result:
    return _result(outcome, case, Event.REFUSED, Transport.DEAD)


def _impossible(outcome: Outcome, case: Case, _settings: RetrySettings, _uniform: float) -> Result:
    return _result(outcome, case, Event.NO_DESTINATION, Transport.IMPOSSIBLE)


def _configuration(outcome: Outcome, case: Case, _settings: RetrySettings, _uniform: float) -> Result:
    # Due at once, but paused with its whole channel until the configuration is mended.
    if case.kind == "resolve":
        return _result(outcome, case, Event.STILL_IN_DOUBT, Transport.IN_DOUBT, due_in=SOONEST, pause=True)
    return _result(outcome, case, Event.MISCONFIGURED, Transport.RETRY, due_in=SOONEST, pause=True)


def _session(outcome: Outcome, case: Case, settings: RetrySettings, uniform: float) -> Result:
    if case.kind == "resolve":
        return _in_doubt(outcome, case, settings, uniform)
    return _result(outcome, case, Event.SESSION_NEEDED, Transport.WAITING_FOR_SESSION)


def _in_doubt(outcome: Outcome, case: Case, settings: RetrySettings, _uniform: float) -> Result:
    """Look for evidence after a while, by the same steps as a retry, for as long as it takes: doubt never expires.

    Without jitter: asked too early, a server still at work on what it received would deny having it.
    """
    asks = case.policy in {"query", "resend", "look"}
    event = Event.DOUBT if case.kind == "send" else Event.STILL_IN_DOUBT
    asked = 0 if case.kind == "send" else case.progress.failures + 1
    return _result(
        outcome,
        case,
        event,
        Transport.IN_DOUBT,
        due_in=_step(asked, settings) if asks else None,
        progress=Progress(asked, case.progress.burned),
        tells=REFUSED in _parts(outcome.reason),
    )


def wrong_clock(outcome: Outcome, case: Case, settings: RetrySettings) -> Result:
    """Refused while our clock was surely wrong: that says nothing about the document, and burns nothing."""
    spoilt = replace(outcome, verdict=Verdict.CONFIGURATION, reason=WRONG_CLOCK)
    return replace(_configuration(spoilt, case, settings, 0.0), pause=False)


def resend(progress: Progress) -> Result:
    """The explicit policy: send a doubtful delivery again and say so in the journal."""
    return Result(Event.RESEND_DECIDED, Transport.RETRY, Verdict.IN_DOUBT, RESEND, due_in=SOONEST, progress=progress)


def given_back(progress: Progress, reason: str) -> Result:
    """The worker stops, or lost its lease, before a byte left: somebody else takes over at once."""
    return Result(Event.GIVEN_BACK, Transport.RETRY, "given_back", reason, due_in=SOONEST, progress=progress)


def _result(outcome: Outcome, case: Case, event: Event, state: Transport, **more: object) -> Result:
    values: dict[str, object] = {"progress": case.progress, **more}
    return Result(
        event=event,
        state=state,
        verdict=outcome.verdict,
        reason=outcome.reason,
        text=outcome.text,
        reference=outcome.reference,
        host=outcome.host,
        **values,  # type: ignore[arg-type]
    )


_JUDGES = {
    Verdict.ACCEPTED: _accepted,
    Verdict.TRANSIENT: _transient,
    Verdict.PERMANENT: _permanent,
    Verdict.CONFIGURATION: _configuration,
    Verdict.SESSION: _session,
    Verdict.IMPOSSIBLE: _impossible,
    Verdict.IN_DOUBT: _in_doubt,
}
