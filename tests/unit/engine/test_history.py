"""What an earlier document tells the rules of the next one."""

from __future__ import annotations

from gateway.engine.accept import _past, _sessions
from gateway.records.history import EpisodeHistory
from gateway.rules import check_access
from gateway.settings import RulesSettings
from tests.unit.submission_samples import assessment, put, sound, summary


def test_sessions_are_those_that_the_author_declares() -> None:
    assert _sessions(sound(put(assessment(), "/access/episode/sessions_already_done", 3))) == 3
    told = put(put(summary(), "/document/sessions", []), "/document/sessions_done", 8)
    assert _sessions(sound(put(told, "/access/episode/sessions_already_done", 2))) == 10


def test_a_second_episode_for_the_same_region_is_seen() -> None:
    past = put(put(assessment(), "/access/episode/id", "EP-00"), "/access/episode/start", "2025-09-01")
    (episode,) = _past([sound(past)])
    history = EpisodeHistory(previous_episodes=(episode,))
    found = check_access(sound(assessment()), RulesSettings(), history=history)
    assert [finding.code for finding in found] == ["ACC-018"]


def test_a_document_without_region_leaves_none() -> None:
    (episode,) = _past([sound(put(assessment(), "/document/body_site", None))])
    assert episode.region is None
