"""What mappings/fhir.toml says: canonical addresses, profiles, and the status codes of each FR Core release."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cache
from typing import Any

from gateway import resources
from gateway.errors import ConfigError, MappingError


@dataclass(frozen=True, slots=True)
class Release:
    """One release of FR Core, as far as releases differ: codes of the identity's status, use of a NIA."""

    name: str
    status_system: str
    nia_use: str
    with_ins: dict[str, str]
    without_ins: dict[str, str]


@dataclass(frozen=True, slots=True)
class FhirData:
    """The mapping file, table by table; comments there give the source of each."""

    fr_core: str
    identifier_types: str
    encounter_identifier_types: str
    birth_place_codes: str
    category_profession: str
    professions: str
    mailbox_type: dict[str, str]
    attached: dict[str, str]
    document_core: dict[str, str]
    encounter: dict[str, str]
    extensions: dict[str, str]
    ins_types: dict[str, str]
    structure_types: dict[str, dict[str, str]]
    gender: dict[str, str]
    vital_profiles: dict[str, str]
    blood_pressure: dict[str, str]
    functional_status: dict[str, str]
    categories: dict[str, str]
    releases: dict[str, dict[str, Any]]

    def profile(self, name: str) -> dict[str, list[str]]:
        """`meta` that claims one FR Core profile."""
        return {"profile": [self.fr_core + name]}

    def release(self, name: str) -> Release:
        """The release of this name. Raises ConfigError `CFG-021` for one that the mapping does not know."""
        if name not in self.releases:
            known = ", ".join(self.releases)
            raise ConfigError("CFG-021", f"Version de FR Core inconnue : {name}.", f"Valeurs possibles : {known}.")
        return Release(name, **self.releases[name])


@cache
def load() -> FhirData:
    """The mapping file, read once per process. Raises MappingError `MAP-021` when a table is missing."""
    try:
        return FhirData(**tomllib.loads(resources.read_text("mappings", "fhir.toml")))
    except (TypeError, tomllib.TOMLDecodeError) as fault:
        raise MappingError("MAP-021", f"mappings/fhir.toml est incomplet ou mal formé ({fault}).") from fault
