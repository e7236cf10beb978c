"""The dated table of departments and the figures of the access rules: config/departments.toml."""

from __future__ import annotations

import datetime as dt
import tomllib
from collections.abc import Mapping
from functools import cache

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from gateway.errors import ConfigError
from gateway.resources import data_path


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class DepartmentRow(_Table):
    """A department of the experiment; `valid_from` replaces the general start where a source gives one."""

    code: str
    name: str
    valid_from: dt.date | None = None
    valid_until: dt.date | None = None
    source: str = ""
    note: str = ""


class AccessFigures(_Table):
    """Numbers of the access rules: sessions, days, months, dates."""

    session_cap: int = Field(ge=1)
    session_notice: int = Field(ge=1)
    cpts_notice_days: int = Field(ge=0)
    renewal_months: int = Field(ge=1)
    renewal_from: dt.date
    retired_letters: frozenset[str] = frozenset()
    retired_letters_from: dt.date


class _File(_Table):
    version: str
    access: AccessFigures
    department: tuple[DepartmentRow, ...] = Field(min_length=1)


class Departments(_Table):
    """The file, its departments by code."""

    version: str
    access: AccessFigures
    by_code: Mapping[str, DepartmentRow]


@cache
def load() -> Departments:
    """The shipped table, read once. Raises ConfigError DEP-001 when it is malformed or names a code twice."""
    path = data_path("config", "departments.toml")
    try:
        table = _File.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, ValidationError) as fault:
        raise ConfigError("DEP-001", f"Table des départements illisible : {path}.", "Rétablir le fichier.") from fault
    by_code = {row.code: row for row in table.department}
    if len(by_code) != len(table.department):
        raise ConfigError("DEP-001", f"Un département est écrit deux fois : {path}.", "Retirer la ligne en trop.")
    return Departments(version=table.version, access=table.access, by_code=by_code)
