"""The rules of access as data: each row with its sources, dates, level and findings (config/access_rules.toml)."""

from __future__ import annotations

import datetime as dt
import tomllib
from collections.abc import Mapping
from functools import cache
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from gateway.errors import ConfigError
from gateway.resources import data_path
from gateway.settings import RulesSettings

Level = Literal["block", "warn", "carry", "report", "info"]


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Dispute(_Table):
    """Sources that contradict each other: what they say, and the setting of [rules] that decides."""

    codes: tuple[str, ...] = Field(min_length=1)
    setting: str
    says: str


class Row(_Table):
    """A rule: `number` as in spec/kine.md §1, its sources by key, what is done with a breach.

    `blocks`: `claim` changes the access mode that the document claims, `sending` stops it. `claims` are the codes
    that change the claim.
    """

    number: int = Field(ge=1)
    rule: str
    sources: tuple[str, ...] = Field(min_length=1)
    levels: tuple[Level, ...] = Field(min_length=1)
    blocks: Literal["claim", "sending"] | None = None
    since: dt.date | None = None
    codes: tuple[str, ...]
    claims: tuple[str, ...] = ()
    dispute: tuple[Dispute, ...] = ()

    @model_validator(mode="after")
    def _agrees_with_itself(self) -> Self:
        disputed = {code for one in self.dispute for code in one.codes}
        if (set(self.claims) | disputed) - set(self.codes):
            raise ValueError("a code that the row does not have")
        if ("block" in self.levels) != (self.blocks is not None) or bool(self.claims) != (self.blocks == "claim"):
            raise ValueError("what a row blocks")
        if any(one.setting not in RulesSettings.model_fields for one in self.dispute):
            raise ValueError("no such setting")
        return self


class AccessTable(_Table):
    """The file."""

    version: str
    sources: Mapping[str, str]
    row: tuple[Row, ...] = Field(min_length=1)

    def rows_of(self, code: str) -> tuple[Row, ...]:
        """The rules that a finding speaks of."""
        return tuple(one for one in self.row if code in one.codes)

    @property
    def claims(self) -> frozenset[str]:
        """The codes that take the direct access away from what the document claims."""
        return frozenset(code for one in self.row for code in one.claims)

    def citation(self, code: str, settings: RulesSettings) -> str:
        """The sources of a finding in French, and which setting decides where they contradict each other."""
        rows = self.rows_of(code)
        named = dict.fromkeys(self.sources[key] for one in rows for key in one.sources)
        numbers = ", ".join(str(one.number) for one in rows)
        text = f"{', '.join(named)} (règle{'s' if len(rows) > 1 else ''} {numbers})"
        for one in (one for row in rows for one in row.dispute if code in one.codes):
            text += f". Sources divergentes : {one.says} ; réglage {one.setting} = {_shown(settings, one.setting)}"
        return text


def _shown(settings: RulesSettings, name: str) -> str:
    value = getattr(settings, name)
    if isinstance(value, bool):
        return "oui" if value else "non"
    return ", ".join(value) if isinstance(value, tuple) else str(value)


@cache
def load() -> AccessTable:
    """The shipped table, read once. Raises ConfigError RUL-001 when it is malformed or contradicts itself."""
    path = data_path("config", "access_rules.toml")
    advice = "Rétablir le fichier."
    try:
        table = AccessTable.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, ValidationError) as fault:
        raise ConfigError("RUL-001", f"Table des règles illisible : {path}.", advice) from fault
    numbers = [one.number for one in table.row]
    named = {key for one in table.row for key in one.sources}
    if len(set(numbers)) != len(numbers) or named - table.sources.keys():
        raise ConfigError("RUL-001", f"Ligne en double ou source inconnue : {path}.", advice)
    return table
