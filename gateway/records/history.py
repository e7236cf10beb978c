"""What the store already knows of a care episode: loaded by the engine, passed to the rules, never sent."""

from __future__ import annotations

from pydantic import Field

from gateway.records.base import Count, Date, Flag, Line, Record


class SentDocument(Record):
    """A document of the episode that was accepted earlier."""

    kind: Line
    date: Date


class PastEpisode(Record):
    """Another episode of the same patient with the same author."""

    id: Line
    start: Date
    region: Line | None = Field(default=None, description="Region treated, by its French label.")


class EpisodeHistory(Record):
    """Sessions done and documents sent before this submission, in the same episode, and the episodes before it.

    `sessions_done` counts the sessions that earlier documents of the episode declared; the rules take the larger
    of this and of what the submission itself declares, never their sum. `plan_changed`: the prescriber was told of an
    adaptation.
    """

    sessions_done: Count = Field(default=0, ge=0)
    documents: tuple[SentDocument, ...] = ()
    plan_changed: Flag = False
    previous_episodes: tuple[PastEpisode, ...] = ()
