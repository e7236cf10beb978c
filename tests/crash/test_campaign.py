"""The short form of the crash campaign, on both stores; and that no step of the code is left out of the long one."""

from __future__ import annotations

import json
import os
import random
import sys
from collections import Counter
from dataclasses import asdict
from pathlib import Path

import pytest

from tests.crash import campaign, errands, fleet, judge, papers, paused, steps
from tests.crash.campaign import Plan

STEPS = 14
SLOW = ("claiming.renew", "receiving.mark_overdue", "attending.attend", "dmp.query", "folder.reject", "folder.write_p")
SLOW += ("leavings", "clockbook", "folder.drop_printable", "rotating", "keyring.change")
"""How many steps the short form draws for each store; and those that it leaves to the long one, for they take long."""
short = (
    pytest.mark.crash,
    pytest.mark.slow,
    pytest.mark.timeout(500),
    pytest.mark.needs("dovecot", "postfix"),
    pytest.mark.skipif(sys.platform == "win32", reason="SIGKILL and forkserver are POSIX"),
)


@pytest.mark.parametrize(
    "store",
    [pytest.param("sqlite", marks=short), pytest.param("postgres", marks=(*short, pytest.mark.needs("postgres")))],
)
def test_nothing_is_lost_or_doubled_unseen(tmp_path: Path, store: str) -> None:
    seed = int(os.environ.get("KINE_CRASH_SEED", "0")) or random.SystemRandom().randrange(1, 10**6)
    print(f"seed {seed} (KINE_CRASH_SEED repeats what is drawn)")
    usual = [step for step in steps.wanted() if not step.startswith(SLOW)]
    drawn = tuple(random.Random(f"{seed}{store}").sample(usual, STEPS))
    tmp_path.chmod(0o755)
    plan = Plan(store, 12, STEPS + 6, 1, 1, 2 if store == "postgres" else 0, seed, 6.0, drawn, patience=60.0)
    result = campaign.campaign(plan, tmp_path)
    print(json.dumps(asdict(result), indent=1))
    assert result.verdict["faults"] == []
    assert result.ended_by_a_fault == []
    assert result.steps_not_reached == []
    assert (result.verdict["lost"], result.verdict["visible_duplicates"]) == (0, 0)
    assert result.verdict["deliveries"] == papers.DESTINATIONS * result.verdict["documents"] >= 36
    assert result.kills >= STEPS
    assert result.pauses["sent on waking"] == 0
    assert result.ok


def test_every_step_of_the_code_is_killed_at_or_left_out_for_a_reason() -> None:
    """A transaction or durable file that somebody adds has to be come to by the campaign, or named with its reason."""
    sites = steps.sites()
    assert len(sites) > 30, "the source is read differently: nothing would be killed at"
    assert steps.ELSEWHERE.keys() <= sites.keys(), "left out, and no longer there"
    assert errands.ERRANDS.keys() <= sites.keys(), "an errand that leads nowhere"
    assert not errands.ERRANDS.keys() & steps.ELSEWHERE.keys()
    left_out = {step for step in steps.steps() if step.rpartition(".")[0] in steps.ELSEWHERE}
    assert set(steps.wanted()) | left_out == set(steps.steps())
    assert set(paused.BEFORE) | set(paused.WINDOW) <= set(steps.wanted())
    assert all(fleet.roles_of(step) for step in steps.wanted())


@pytest.mark.parametrize("site", sorted(steps.ELSEWHERE))
def test_what_is_left_out_is_tested_where_it_says(site: str, root: Path) -> None:
    *_, where = steps.ELSEWHERE[site].split("; ")
    assert where.startswith("tests/")
    assert (root / where).exists()


def test_what_nobody_is_known_to_have_sent_is_a_fault() -> None:
    found = judge.Verdict()
    received = {"mail": Counter({"<own@x>": 1}), "dmp": Counter()}
    judge._strangers(found, None, [], received, {"<own@x>"})  # type: ignore[arg-type]
    assert found.faults == []
    judge._strangers(found, None, [], received, set())  # type: ignore[arg-type]
    assert "<own@x>" in found.faults[0]


def test_a_campaign_that_missed_a_step_has_failed() -> None:
    result = campaign.Result({}, verdict={"faults": []})
    assert result.ok
    result.steps_not_reached.append("claiming.claim.commit")
    assert not result.ok
