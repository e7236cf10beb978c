"""The durable schedule, whatever the answers, the settings and the chance."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from gateway.channels.outcome import Outcome, Verdict
from gateway.engine import retry
from gateway.settings import RetrySettings
from gateway.store.base import Progress
from gateway.store.states import Transport, allowed

REASONS = st.sampled_from(
    ["MSS-451-4.7.1", "MSS-421", "MSS-CONNECT", "MSS-TIMEOUT", "MSS-LOST", "DMP-HTTP-503", "", "-"]
)
outcomes = st.builds(
    Outcome, st.sampled_from(Verdict), REASONS, retry_after=st.none() | st.floats(0, 1e6, allow_nan=False)
)
settings = st.builds(
    RetrySettings,
    delays=st.lists(st.floats(0.001, 1e5), min_size=1, max_size=8).map(tuple),
    give_up_after=st.floats(1, 1e6),
    jitter=st.booleans(),
)
cases = st.builds(
    retry.Case,
    kind=st.sampled_from(["send", "resolve"]),
    attempt=st.integers(1, 10_000),
    progress=st.builds(Progress, st.integers(0, 10_000), st.floats(0, 1e7)),
    policy=st.sampled_from(["query", "resend", "human", "none"]),
    receipt=st.booleans(),
)
chance = st.floats(0, 1, exclude_max=True)


@given(outcomes, cases, settings, chance)
def test_every_answer_leads_to_a_state_that_exists(
    outcome: Outcome, case: retry.Case, schedule: RetrySettings, uniform: float
) -> None:
    result = retry.judge(outcome, case, schedule, uniform)
    start = Transport.TRANSMITTING if case.kind == "send" else Transport.IN_DOUBT
    assert allowed(result.event, start, result.state)
    if result.state is Transport.RETRY:
        assert result.due_in is not None  # nothing is left waiting for ever
    if result.due_in is not None:
        assert result.due_in >= retry.SOONEST or result.state is Transport.IN_DOUBT
        assert result.due_in >= 0


@given(outcomes, cases, settings, chance)
def test_time_burned_never_shrinks_and_only_answers_burn_it(
    outcome: Outcome, case: retry.Case, schedule: RetrySettings, uniform: float
) -> None:
    result = retry.judge(outcome, case, schedule, uniform)
    assert result.progress.burned >= case.progress.burned
    if result.progress.burned > case.progress.burned:
        assert outcome.verdict is Verdict.TRANSIENT
        assert not retry.unreachable(outcome)


@given(st.lists(st.tuples(REASONS, chance), max_size=200), settings)
def test_it_gives_up_only_after_the_reachable_time_it_was_given(
    answers: list[tuple[str, float]], schedule: RetrySettings
) -> None:
    progress = Progress()
    for attempt, (reason, uniform) in enumerate(answers, 1):
        case = retry.Case("send", attempt, progress, "query", receipt=False)
        result = retry.judge(Outcome(Verdict.TRANSIENT, reason), case, schedule, uniform)
        assert (result.state is Transport.DEAD) is (result.progress.burned > schedule.give_up_after)
        if result.state is Transport.DEAD:
            assert not retry.unreachable(Outcome(Verdict.TRANSIENT, reason))
            return
        progress = result.progress


@given(outcomes, cases, settings, chance)
def test_a_doubt_is_never_resent_without_proof(
    outcome: Outcome, case: retry.Case, schedule: RetrySettings, uniform: float
) -> None:
    result = retry.judge(outcome, replace(case, kind="resolve"), schedule, uniform)
    if result.state is Transport.RETRY:
        assert outcome.verdict is Verdict.TRANSIENT  # the other side answered that it is not there
        assert not retry.unreachable(outcome)


@given(outcomes, cases, settings, chance)
def test_the_same_input_gives_the_same_decision(
    outcome: Outcome, case: retry.Case, schedule: RetrySettings, uniform: float
) -> None:
    assert retry.judge(outcome, case, schedule, uniform) == retry.judge(outcome, case, schedule, uniform)
