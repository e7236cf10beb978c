"""The table of duties: which document is due to whom, how soon and by which source (config/obligations.toml)."""

from __future__ import annotations

import tomllib
from functools import cache
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from gateway.errors import ConfigError
from gateway.records.access import AccessMode
from gateway.resources import data_path

DueDocument = Literal[
    "assessment", "treatment_summary", "reorientation_letter", "prescriber_information", "adverse_event"
]
DueTo = Literal["medecin_traitant", "patient", "dmp", "prescripteur", "delegant", "ars"]


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Duty(_Table):
    """A row: in these modes, this document is due to these readers.

    `expected`: an episode of that kind must have such a document. `condition` `r4321_2`: only in the three cases of
    the code de la santé publique, R4321-2. `rows` are those of config/access_rules.toml.
    """

    modes: tuple[AccessMode, ...] = Field(min_length=1)
    document: DueDocument
    to: tuple[DueTo, ...] = Field(min_length=1)
    expected: bool = False
    condition: Literal["always", "r4321_2"] = "always"
    rows: tuple[int, ...] = Field(min_length=1)
    source: str = Field(min_length=1)


class _Delays(_Table):
    transmit_hours: int = Field(ge=1)
    assessment_days: int = Field(ge=0)


class _Sessions(_Table):
    sessions: int = Field(ge=1)


class _Excused(_Table):
    reasons: frozenset[str]


class Duties(_Table):
    """The file. `excused` are reasons of an impossible sending that leave nothing to do."""

    version: str
    delays: _Delays
    r4321_2: _Sessions
    excused: _Excused
    duty: tuple[Duty, ...] = Field(min_length=1)

    def of(self, mode: str | None, document: str) -> Duty | None:
        """What is due of a document in a mode; None: nothing."""
        return next((one for one in self.duty if one.document == document and mode in one.modes), None)

    def expected(self, mode: str | None) -> tuple[Duty, ...]:
        """The documents that an episode in this mode must have."""
        return tuple(one for one in self.duty if one.expected and mode in one.modes)


@cache
def load() -> Duties:
    """The shipped table, read once. Raises ConfigError (OBL-001): malformed, or it says two things of a case."""
    path = data_path("config", "obligations.toml")
    advice = "Rétablir le fichier."
    try:
        table = Duties.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, ValidationError) as fault:
        raise ConfigError("OBL-001", f"Table des obligations illisible : {path}.", advice) from fault
    cases = [(mode, one.document) for one in table.duty for mode in one.modes]
    if len(set(cases)) != len(cases):
        raise ConfigError("OBL-001", f"Un cas est écrit deux fois : {path}.", advice)
    return table
