"""How a person is looked for at INSi: which searches, in which order, and when to stop.

The service answers 01 (none) or 02 (several) where the traits of the identity document are not exactly those of the
national base. Its guidance (spec dmp §5): ask again with each given name, then with all of them, then with the place
of birth. The first search that finds one person ends the procedure; so does a call that fails. Whoever was found is
still compared with the patient's own traits (`agreement`), since a second given name may be somebody else's first.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from enum import StrEnum

from gateway.channels.insi.answers import FOUND, SEVERAL, Reply
from gateway.channels.insi.classify import Failure
from gateway.channels.insi.messages import Search

MAX_NAMES = 6
"""Given names tried one by one: a list of names longer than this is asked about as a whole."""


class Step(StrEnum):
    """What a search was made with, beside family name, sex and date of birth."""

    FIRST = "first"
    """The first given name alone."""
    EACH = "each"
    """Another given name alone."""
    ALL = "all"
    """Every given name."""
    PLACE = "place"
    """Every given name and the place of birth (COG)."""


@dataclass(frozen=True, slots=True)
class Asked:
    """One search that was made, and what came: the CodeCR, or the reason of a failure."""

    step: Step
    answer: str


@dataclass(frozen=True, slots=True)
class Found:
    """Where the procedure ended, and every search that it made."""

    answer: Reply | Failure
    asked: tuple[Asked, ...]


def steps(person: Search) -> Iterator[tuple[Step, Search]]:
    """The searches for a person, in order, none twice. `person.given` holds every given name known, first one first."""
    bare = replace(person, cog=None)
    yield Step.FIRST, bare.with_given(person.given[0])
    for name in dict.fromkeys(person.given[1:MAX_NAMES]):
        if name != person.given[0]:
            yield Step.EACH, bare.with_given(name)
    if len(person.given) > 1:
        yield Step.ALL, bare
    if person.cog:
        yield Step.PLACE, person


def run(person: Search, ask: Callable[[Search], Reply | Failure]) -> Found:
    """Search until one person is found, a call fails, or nothing is left to try.

    When nothing was found, several at any step weighs more than none: there is somebody, and more is to be told.
    """
    asked: list[Asked] = []
    ambiguous: Reply | None = None
    answer: Reply | Failure | None = None
    for step, search in steps(person):
        answer = ask(search)
        asked.append(Asked(step, answer.reason if isinstance(answer, Failure) else answer.code))
        if isinstance(answer, Failure) or answer.code == FOUND:
            return Found(answer, tuple(asked))
        if answer.code == SEVERAL:
            ambiguous = answer
    assert answer is not None  # there is always a first step
    return Found(ambiguous or answer, tuple(asked))
