"""What an earlier document tells the rules of the next one."""

from __future__ import annotations

from typing import Any

from gateway.engine.accept import _past, _sessions
from gateway.records.access import Episode
from gateway.records.history import EpisodeHistory
from gateway.records.submission import Submission
from gateway.rules import check_access
from gateway.settings import RulesSettings
from tests.unit.submission_samples import assessment, put, sound, summary


def told(value: dict[str, Any]) -> tuple[Submission, Episode]:
    read = sound(value)
    return read, read.access.episode


def test_sessions_are_those_that_the_author_declares() -> None:
    assert _sessions(*told(put(assessment(), "/access/episode/sessions_already_done", 3))) == 3
    value = put(put(summary(), "/document/sessions", []), "/document/sessions_done", 8)
    assert _sessions(*told(put(value, "/access/episode/sessions_already_done", 2))) == 10


def test_a_second_episode_for_the_same_region_is_seen() -> None:
    past = put(put(assessment(), "/access/episode/id", "EP-00"), "/access/episode/start", "2025-09-01")
    (episode,) = _past([told(past)])
    history = EpisodeHistory(previous_episodes=(episode,))
    found = check_access(sound(assessment()), RulesSettings(), history=history)
    assert [finding.code for finding in found] == ["ACC-018"]


def test_a_document_without_region_leaves_none() -> None:
    (episode,) = _past([told(put(assessment(), "/document/body_site", None))])
    assert episode.region is None
