"""The sandbox against facts of another implementation: never wider than XDS, narrower only where the DMP says so."""

from __future__ import annotations

import pytest

from .builders import feed
from .conftest import Dmp, outcome, reasons
from .xds_facts import FACTS, Fact


@pytest.mark.parametrize("fact", FACTS, ids=lambda fact: fact.name)
def test_the_sandbox_agrees_or_says_why_not(dmp: Dmp, fact: Fact) -> None:
    answer = dmp.send(feed(dmp.draft(edits={"metadata": fact.edit})))
    taken = outcome(answer) == ("Success",)
    assert taken == (fact.sound and not fact.reason), reasons(answer) or "accepted"


def test_each_fact_stands_once_and_both_kinds_are_there() -> None:
    names = [fact.name for fact in FACTS]
    assert len(names) == len(set(names))
    assert sum(fact.sound for fact in FACTS) >= 40
    assert sum(not fact.sound for fact in FACTS) >= 80
    assert not any(fact.reason and not fact.sound for fact in FACTS), "what IPF refuses needs no reason of ours"
