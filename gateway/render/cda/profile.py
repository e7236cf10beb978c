"""mappings/cda.toml, read once: templates of the entries, fixed codes, what a section template promises."""

from __future__ import annotations

import functools
import tomllib
from dataclasses import dataclass
from typing import Any

from gateway import resources
from gateway.document.model import Code
from gateway.errors import MappingError


@dataclass(frozen=True, slots=True)
class SectionRule:
    """What a French section template comes with.

    `parents` are the templates to declare before it, `needs` the entry templates that must stand inside,
    `plain` the templates to declare where those are missing (empty: there is no uncoded form). A template with
    `entries` false allows none.
    """

    fr: str
    parents: tuple[str, ...]
    code: str
    needs: tuple[str, ...]
    plain: tuple[str, ...]
    entries: bool = True


@dataclass(frozen=True, slots=True)
class EntryRule:
    """Templates of an entry: the French one and what the schematrons want beside it."""

    fr: str
    parents: tuple[str, ...]

    @property
    def templates(self) -> tuple[str, ...]:
        """Every template in the order to write: CCD, IHE PCC, French."""
        return (*self.parents, self.fr)


@dataclass(frozen=True, slots=True)
class Profile:
    """Everything of CI-SIS that is data for the CDA rendering and for the preflight."""

    header_templates: tuple[str, ...]
    medecin_traitant: Code
    system_names: dict[str, str]
    codes: dict[str, Code]
    local: dict[str, str]
    entries: dict[str, EntryRule]
    known_entries: dict[str, str]
    vital_units: dict[str, tuple[str, ...]]
    sections: tuple[SectionRule, ...]

    def section_rule(self, templates: tuple[str, ...]) -> SectionRule | None:
        """The rule of the French template among these, if there is one."""
        return next((rule for rule in self.sections if rule.fr in templates), None)


@functools.cache
def load() -> Profile:
    """The shipped profile. Raises MappingError (`MAP-010`) when the file is not what the code relies on."""
    try:
        return _profile(tomllib.loads(resources.read_text("mappings", "cda.toml")))
    except (tomllib.TOMLDecodeError, KeyError, TypeError) as fault:
        raise MappingError("MAP-010", f"mappings/cda.toml est inutilisable : {fault}.") from fault


def _profile(data: dict[str, Any]) -> Profile:
    return Profile(
        header_templates=tuple(data["header"]["templates"]),
        medecin_traitant=_code(data["header"]["medecin_traitant"]),
        system_names=data["system_names"],
        codes={name: _code(row) for name, row in data["code"].items()},
        local=data["local"],
        entries={name: EntryRule(row["fr"], tuple(row["parents"])) for name, row in data["entry"].items()},
        known_entries=data["known_entries"],
        vital_units={code: tuple(units) for code, units in data["vital_units"].items()},
        sections=tuple(_section(row) for row in data["section"]),
    )


def _code(row: dict[str, str]) -> Code:
    return Code(row["code"], row["system"], row["display"])


def _section(row: dict[str, Any]) -> SectionRule:
    return SectionRule(
        fr=row["fr"],
        parents=tuple(row["parents"]),
        code=row["code"],
        needs=tuple(row.get("needs", ())),
        plain=tuple(row.get("plain", ())),
        entries=row.get("entries", True),
    )
