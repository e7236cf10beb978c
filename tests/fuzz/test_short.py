"""The short form of `make fuzz`: every target, and hypothesis beside, which shrinks what it finds."""

from __future__ import annotations

from pathlib import Path
from random import Random, getrandbits

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.fuzz.guard import ForbiddenError, confined
from tests.fuzz.mutate import mutated
from tests.fuzz.target import CORPUS, Target, execute
from tests.fuzz.targets import scratch, targets

TARGETS = {one.name: one for one in targets()}
SLOW = frozenset({"pdf", "opening", "sandbox_mail", "preflight"})
MOST_BYTES = 300_000


@pytest.fixture(scope="module", params=sorted(TARGETS))
def target(request: pytest.FixtureRequest) -> Target:
    """A target whose tables and lazy imports are there: under guard nothing is opened."""
    found = TARGETS[request.param]
    for data in found.seeds():
        try:
            found.feed(data)
        except found.refuses:
            continue
    return found


def test_its_corpus_holds(target: Target) -> None:
    for data in target.seeds():
        execute(target, data, scratch())


def test_mutations_hold(target: Target) -> None:
    dice, seeds = Random(getrandbits(64)), target.seeds()  # of the run's own seed (--randomly-seed): CI repeats it
    for _ in range(5 if target.name in SLOW else 30):
        data = mutated(dice.choice(seeds), dice, target.words)
        try:
            execute(target, data, scratch())
        except BaseException as fault:
            fault.add_note(f"{target.name}, an input of {len(data)} bytes: {data[:400]!r}")
            raise


@pytest.mark.parametrize("name", sorted(TARGETS.keys() - SLOW))
@settings(max_examples=6)
@given(seed=st.integers(0, 2**32), tail=st.binary(max_size=40))
def test_whatever_hypothesis_draws_holds(name: str, seed: int, tail: bytes) -> None:
    """Bytes of its own, and mutations whose seed it shrinks."""
    found = TARGETS[name]
    dice = Random(seed)
    execute(found, tail, scratch())
    execute(found, mutated(dice.choice(found.seeds()), dice, found.words) + tail, scratch())


def test_every_target_has_a_corpus_that_stays_small() -> None:
    assert {path.name for path in CORPUS.iterdir()} == TARGETS.keys()
    files = [path for path in CORPUS.rglob("*") if path.is_file()]
    assert sum(path.stat().st_size for path in files) < MOST_BYTES


def test_the_guard_sees_a_file_a_host_and_a_program(tmp_path: Path) -> None:
    """Without this, a parser that leaves its bytes would pass everywhere."""
    import socket
    import subprocess

    path = tmp_path / "x"
    path.write_text("x")
    with pytest.raises(ForbiddenError), confined():
        path.read_text()
    with pytest.raises(ForbiddenError), confined():
        path.write_text("y")
    with pytest.raises(ForbiddenError), confined():
        socket.create_connection(("127.0.0.1", 9))
    with pytest.raises(ForbiddenError), confined():
        subprocess.run(["true"], check=False)
    with confined(path):
        assert path.read_text() == "x"
