"""What the reader takes from mappings/fhir.toml and mappings/sections.toml."""

from __future__ import annotations

import functools
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from gateway import resources
from gateway.errors import MappingError


@dataclass(frozen=True, slots=True)
class Tables:
    """`fhir` is the file as it stands; `section_keys` gives the key of a section by its LOINC code."""

    fhir: Mapping[str, Any]
    section_keys: Mapping[str, str]

    def extension(self, name: str) -> str:
        """URL of an extension, by its name in the file."""
        return str(self.fhir["extensions"][name])

    def core(self, name: str) -> str:
        """URL of a structure of FR Core."""
        return f"{self.fhir['fr_core']}{name}"

    def status(self, system: str, code: str, *, with_ins: bool) -> str:
        """The RNIV state that a status code stands for, empty where it stands for several or is unknown."""
        table = "with_ins" if with_ins else "without_ins"
        for release in self.fhir["releases"].values():
            if release["status_system"] == system:
                states = [state for state, written in release[table].items() if written == code]
                return states[0] if len(states) == 1 else ""
        return ""


@functools.cache
def load() -> Tables:
    """The shipped tables. Raises MappingError `MAP-021` when a file is not what the reader relies on."""
    try:
        fhir = tomllib.loads(resources.read_text("mappings", "fhir.toml"))
        sections = tomllib.loads(resources.read_text("mappings", "sections.toml"))["section"]
        return Tables(fhir, {str(row["code"]): str(key) for key, row in sections.items()})
    except (tomllib.TOMLDecodeError, KeyError, TypeError) as fault:
        raise MappingError("MAP-021", f"mappings/fhir.toml est incomplet ou mal formé ({fault}).") from fault
