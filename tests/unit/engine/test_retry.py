from __future__ import annotations

from dataclasses import replace

import pytest

from gateway.channels.outcome import Outcome, Verdict
from gateway.engine import retry
from gateway.engine.breaker import Breaker
from gateway.settings import RetrySettings
from gateway.store.base import Progress
from gateway.store.states import Event, Receipt, Transport, allowed
from tests.unit.store import kit

STEADY = RetrySettings(jitter=False)
CASE = retry.Case("send", 1, Progress(), "query", receipt=False)


def judge(verdict: Verdict, reason: str = "X-450", case: retry.Case = CASE, **more: object) -> retry.Result:
    return retry.judge(Outcome(verdict, reason, **more), case, STEADY, 0.5)  # type: ignore[arg-type]


def test_the_schedule_of_the_design() -> None:
    waits = [retry.delay(failures, STEADY, 0.0) for failures in range(7)]
    assert waits == [30, 120, 600, 3600, 21600, 21600, 21600]


def test_full_jitter_takes_any_part_of_the_step() -> None:
    settings = RetrySettings()
    assert retry.delay(1, settings, 0.0) == retry.SOONEST
    assert retry.delay(1, settings, 0.5) == 60
    assert retry.delay(1, settings, 0.999) < 120


def test_five_days_of_reachable_time_then_it_gives_up() -> None:
    case, waited, failures = CASE, 0.0, 0
    while True:
        result = judge(Verdict.TRANSIENT, case=case)
        if result.state is Transport.DEAD:
            break
        assert result.due_in is not None
        waited, failures = waited + result.due_in, failures + 1
        case = replace(case, progress=result.progress, attempt=case.attempt + 1)
    assert result.event is Event.GAVE_UP
    assert 4.75 * 86400 < waited <= 5 * 86400
    assert failures == 23


def test_being_offline_burns_nothing_and_never_waits_long() -> None:
    case = CASE
    for attempt in range(1, 500):
        result = judge(Verdict.TRANSIENT, "MSS-CONNECT", replace(case, attempt=attempt))
        assert result.progress == Progress()
        assert result.state is Transport.RETRY
        assert result.due_in is not None
        assert result.due_in <= retry.LONGEST_UNREACHABLE
    assert judge(Verdict.TRANSIENT, "MSS-CONNECT").due_in == 30


def test_after_an_outage_the_schedule_stands_where_it_stood() -> None:
    case = replace(CASE, attempt=40, progress=Progress(1, 30.0))
    assert judge(Verdict.TRANSIENT, "MSS-451", case).due_in == 120


def test_the_server_may_ask_for_more_time() -> None:
    assert judge(Verdict.TRANSIENT, retry_after=900.0).due_in == 900
    assert judge(Verdict.TRANSIENT, retry_after=1.0).due_in == 30
    assert judge(Verdict.TRANSIENT, retry_after=900.0).progress.burned == 900


@pytest.mark.parametrize(
    ("verdict", "event", "state"),
    [
        (Verdict.ACCEPTED, Event.TAKEN, Transport.SENT),
        (Verdict.PERMANENT, Event.REFUSED, Transport.DEAD),
        (Verdict.CONFIGURATION, Event.MISCONFIGURED, Transport.RETRY),
        (Verdict.SESSION, Event.SESSION_NEEDED, Transport.WAITING_FOR_SESSION),
        (Verdict.IMPOSSIBLE, Event.NO_DESTINATION, Transport.IMPOSSIBLE),
        (Verdict.IN_DOUBT, Event.DOUBT, Transport.IN_DOUBT),
    ],
)
def test_each_verdict_leads_somewhere_and_burns_nothing(verdict: Verdict, event: Event, state: Transport) -> None:
    result = judge(verdict, case=replace(CASE, progress=Progress(2, 50.0)))
    assert (result.event, result.state) == (event, state)
    assert result.progress.burned == 50.0
    assert result.pause is (verdict is Verdict.CONFIGURATION)


@pytest.mark.parametrize("kind", ["send", "resolve"])
@pytest.mark.parametrize("policy", ["query", "resend", "human", "none"])
@pytest.mark.parametrize("verdict", list(Verdict))
@pytest.mark.parametrize("reason", ["X-451", "X-CONNECT"])
def test_every_result_is_a_transition_that_exists(verdict: Verdict, kind: str, policy: str, reason: str) -> None:
    case = replace(CASE, kind=kind, policy=policy)
    result = judge(verdict, reason, case)
    starts = [Transport.SENDING, Transport.TRANSMITTING] if kind == "send" else [Transport.IN_DOUBT]
    assert all(allowed(result.event, start, result.state) for start in starts)


def test_only_a_channel_with_receipts_awaits_one() -> None:
    assert judge(Verdict.ACCEPTED).receipt is Receipt.NONE
    assert judge(Verdict.ACCEPTED, case=replace(CASE, receipt=True)).receipt is Receipt.AWAITED


@pytest.mark.parametrize(("policy", "asks"), [("query", True), ("resend", True), ("human", False), ("none", False)])
def test_who_settles_a_doubt(policy: str, asks: bool) -> None:
    result = judge(Verdict.IN_DOUBT, case=replace(CASE, policy=policy))
    assert (result.due_in is not None) is asks


def test_asking_again_waits_longer_each_time() -> None:
    waits, progress = [], Progress()
    for _ in range(5):
        result = judge(Verdict.IN_DOUBT, case=replace(CASE, kind="resolve", progress=progress))
        waits.append(result.due_in)
        progress = result.progress
    assert waits == [120, 600, 3600, 21600, 21600]


def test_evidence_is_never_asked_for_too_early() -> None:
    result = retry.judge(Outcome(Verdict.IN_DOUBT, "DMP-DOUBT-LOST"), CASE, RetrySettings(), 0.0)
    assert result.due_in == 30


def test_a_server_out_of_reach_proves_no_absence() -> None:
    result = judge(Verdict.TRANSIENT, "DMP-CONNECT", replace(CASE, kind="resolve"))
    assert result.state is Transport.IN_DOUBT
    assert judge(Verdict.TRANSIENT, "DMP-ABSENT", replace(CASE, kind="resolve")).state is Transport.RETRY


def test_a_misconfigured_question_leaves_the_doubt_and_pauses() -> None:
    result = judge(Verdict.CONFIGURATION, "DMP-VIHF", replace(CASE, kind="resolve"))
    assert (result.state, result.pause) == (Transport.IN_DOUBT, True)


@pytest.mark.parametrize(
    ("reason", "host"),
    [
        ("MSS-CONNECT", True),
        ("MSS-TIMEOUT", True),
        ("MSS-421-4.3.2", True),
        ("DMP-HTTP-503", True),
        ("DMP-DOUBT-LOST", True),
        ("MSS-451-4.7.1", False),
        ("DMP-XDSRepositoryBusy", False),
    ],
)
def test_whose_fault_it_is(reason: str, host: bool) -> None:
    assert retry.host_fault(reason) is host


def test_the_breaker_lets_one_probe_pass_in_each_pause() -> None:
    clock = kit.clock()
    breaker = Breaker(clock, failures=3, pause=60)
    assert [breaker.note(ok=False) for _ in range(3)] == [False, False, True]
    assert breaker.slots(4) == 0
    clock.advance(60)
    assert breaker.slots(4) == 1
    breaker.claimed()
    assert breaker.slots(4) == 0
    assert not breaker.note(ok=False)
    clock.advance(60)
    assert breaker.slots(4) == 1
    assert breaker.note(ok=True)
    assert breaker.slots(4) == 4


def test_one_success_forgets_the_failures() -> None:
    breaker = Breaker(kit.clock(), failures=3, pause=60)
    for ok in (False, False, True, False, False):
        breaker.note(ok)
    assert not breaker.open


@pytest.mark.parametrize(("reason", "tells"), [("DMP-QUERY-REFUSED", True), ("DMP-HTTP-503", False)])
def test_a_refused_question_is_told_and_asked_again(reason: str, tells: bool) -> None:
    result = judge(Verdict.IN_DOUBT, reason, replace(CASE, kind="resolve"))
    assert (result.event, result.state) == (Event.STILL_IN_DOUBT, Transport.IN_DOUBT)
    assert result.due_in is not None
    assert result.tells is tells
