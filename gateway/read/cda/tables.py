"""What the reader takes from mappings/: templates of entries, fixed codes, keys of sections."""

from __future__ import annotations

import functools
import tomllib
from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from gateway import resources
from gateway.errors import MappingError

_ORDER = ("concern", "problem", "severity", "comment", "panel", "vitals", "vital", "pain", "survey", "goal")
"""Entries by the template that only they have; acts and encounters are known by their element as well."""


@dataclass(frozen=True, slots=True)
class Tables:
    """`marks`: the templates that tell an entry; `codes`: the codes that templates impose."""

    marks: Mapping[str, frozenset[str]]
    codes: Mapping[str, str]
    simple: frozenset[str]
    section_keys: Mapping[str, str]

    def entry(self, templates: Collection[str]) -> str:
        """Name of the entry that these templates declare, `simple` for the observation of all work, else empty."""
        held = set(templates)
        for name in _ORDER:
            if self.marks[name] & held:
                return name
        return "simple" if self.simple & held else ""


@functools.cache
def load() -> Tables:
    """The shipped tables. Raises MappingError (`MAP-010`) when a file is not what the reader relies on."""
    try:
        data = tomllib.loads(resources.read_text("mappings", "cda.toml"))
        sections = tomllib.loads(resources.read_text("mappings", "sections.toml"))["section"]
        return _tables(data, {str(row["code"]): str(key) for key, row in sections.items()})
    except (tomllib.TOMLDecodeError, KeyError, TypeError) as fault:
        raise MappingError("MAP-010", f"mappings/cda.toml est inutilisable : {fault}.") from fault


def _tables(data: dict[str, Any], section_keys: dict[str, str]) -> Tables:
    entries = {str(name): (*row["parents"], row["fr"]) for name, row in data["entry"].items()}
    shared = Counter(template for templates in entries.values() for template in templates)
    return Tables(
        marks={name: frozenset(t for t in templates if shared[t] == 1) for name, templates in entries.items()},
        codes={str(name): str(row["code"]) for name, row in data["code"].items()},
        simple=frozenset(entries["simple"]),
        section_keys=section_keys,
    )
