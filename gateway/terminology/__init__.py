"""Terminology: the tables of mappings/, and the only way from a record's words to a code.

A code is sent only when it was verified in a source (DESIGN §4, Terminology); anything else travels as the product's
local code and text. Which code depends on the target: CDA and FHIR do not take the same ones.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache

from gateway.records.clinical import Measure, Side
from gateway.terminology import loader, tables
from gateway.terminology.concepts import Code, Concept
from gateway.terminology.model import Answer, DocumentDef, IcfDef, MeasureDef, PanelDef, SectionDef, UnitDef

__all__ = [
    "Answer",
    "Code",
    "Concept",
    "DocumentDef",
    "IcfDef",
    "MeasureDef",
    "PanelDef",
    "SectionDef",
    "Terminology",
    "UnitDef",
    "altered_files",
    "load",
]

altered_files = tables.altered_files

_LIKE_A_CODE = re.compile(r"^[^\W_]+(_[^\W_]+)+$")
_FREE_WORDING = ("CIM-10", "CIF", "SNOMED-CT")
"""Systems whose codes users label in their own words: only a label of another code contradicts."""


@dataclass(frozen=True, slots=True)
class Terminology:
    """All tables, immutable. Get it from `load()`."""

    version: str
    local_system: str
    identifiers: Mapping[str, Mapping[str, str]]
    professional_root: str
    structure_root: str
    zones: Mapping[str, str]
    encounters: Mapping[str, str]
    session_cap: int
    evaluation_act: Code
    pdf_template: str
    pdf_format: Code
    renewal: Mapping[str, str]
    order: Mapping[str, tuple[str, ...]]
    oids: Mapping[str, str]
    sides: Mapping[str, str]
    units: Mapping[str, UnitDef]
    icf_items: Mapping[str, IcfDef]
    panels: Mapping[str, PanelDef]
    _documents: Mapping[tuple[str, bool], DocumentDef]
    _sections: Mapping[str, SectionDef]
    _measures: Mapping[str, MeasureDef]
    _sets: Mapping[tuple[str, str], Code]
    _sites: Mapping[str, Code]
    _labels: Mapping[str, Mapping[str, str]]
    _uris: Mapping[str, str]
    _displays: Mapping[tuple[str, str], frozenset[str]]
    _codes: Mapping[tuple[str, str], frozenset[str]]

    @staticmethod
    def load() -> Terminology:
        """The shipped tables, read once per process. Raises MappingError `MAP-001` with file and row."""
        return load()

    def document(self, kind: str, *, closes_episode: bool = False) -> DocumentDef:
        """What a kind of document is called. Raises MappingError `MAP-002`."""
        found = self._documents.get((kind, closes_episode)) or self._documents.get((kind, False))
        if found is None:
            raise tables.missing(f"document « {kind} »")
        return found

    def level1(self, kind: str) -> DocumentDef:
        """The same kind of document as a PDF: other template and format. Raises MappingError `MAP-002`."""
        return replace(self.document(kind), template_id=self.pdf_template, format_code=self.pdf_format)

    def section(self, key: str) -> SectionDef:
        """A section by key. Raises MappingError `MAP-002`."""
        if key not in self._sections:
            raise tables.missing(f"section « {key} »")
        return self._sections[key]

    def measure(self, code: str) -> MeasureDef | None:
        """A measure of the catalogue, or None."""
        return self._measures.get(code)

    def measures(self) -> tuple[MeasureDef, ...]:
        """The whole catalogue."""
        return tuple(self._measures.values())

    def measure_concept(self, record: Measure) -> Concept:
        """Text, local code and verified codes of a measure; a code for its joint and side wins over a general one.

        A measure that is not in the catalogue keeps its own name as text: nothing is lost, nothing is guessed.
        """
        known = self._measures.get(record.code)
        if known is None:
            return Concept(self.wording("measure", record.code))
        special = self._by_site(known, record)
        if special is not None:
            return Concept(known.label, known.local, special, (special,))
        return Concept(known.label, known.local, known.cda, known.fhir)

    @staticmethod
    def _by_site(known: MeasureDef, record: Measure) -> Code | None:
        site = tables.folded(record.site or "")
        side = record.side.value if record.side else ""
        found = known.by_site.get((site, side)) or known.by_site.get((site, ""))
        return found or known.by_site.get(("", side))

    def value(self, set_name: str, code: str) -> Code:
        """A code of a value set (`J01`, `J02`...), with its display. Raises MappingError `MAP-002`."""
        found = self._sets.get((set_name, code))
        if found is None:
            raise tables.missing(f"{set_name} {code}")
        return found

    def has_value(self, set_name: str, code: str) -> bool:
        """Whether a value set holds this code."""
        return (set_name, code) in self._sets

    def professions(self) -> dict[str, str]:
        """Labels of the health professions by their code of TRE_G15 (`10`: Médecin), specialties left out."""
        codes = {code: value for (name, code), value in self._sets.items() if name == "J01" and code.startswith("G15_")}
        return {code.removeprefix("G15_"): value.display for code, value in codes.items() if "/" not in code}

    def side(self, side: Side | None) -> Code | None:
        """Laterality (JDV_J161)."""
        return None if side is None else self.value("J161", self.sides[side.value])

    def site(self, label: str) -> Concept:
        """A body site: the words as written, and the code of JDV_LocalisationAnatomique where the words name one."""
        code = self._sites.get(tables.folded(label))
        return Concept(label, None, code, (code,) if code else ())

    def icf(self, code: str, label: str | None) -> Concept:
        """An item of the classification of functioning. A code that was not verified is shown, never sent as a code.

        A qualifier (`d450.2`) goes with the code of its item.
        """
        item = self.icf_items.get(code.partition(".")[0])
        words = label or (item.label if item else None)
        text = f"{words} ({code})" if words else code
        if item is None or not item.verified:
            return Concept(text)
        verified = Code(code, self.oids["CIF"], words or item.label)
        return Concept(text, None, verified, (verified,))

    def local(self, code: str, text: str) -> Concept:
        """A notion of the product itself: local code and text."""
        return Concept(text, Code(code, self.local_system, text))

    def statement(self, name: str) -> Concept:
        """What one of the product's own coded statements is about. Raises MappingError `MAP-002`."""
        return self.local(name, self.label("statement", name))

    def label(self, list_name: str, value: str) -> str:
        """French words for a value of a closed list. Raises MappingError `MAP-002`."""
        found = self._labels.get(list_name, {}).get(value)
        if found is None:
            raise tables.missing(f"libellé « {list_name}.{value} »")
        return found

    def is_listed(self, list_name: str, value: str) -> bool:
        """Whether a value is one of an open list, and no words of somebody's own."""
        return value in self._labels.get(list_name, {})

    def wording(self, list_name: str, value: str) -> str:
        """French words for a value of an open list; what is not listed stays as written, underscores opened."""
        found = self._labels.get(list_name, {}).get(value)
        if found is not None:
            return found
        return value.replace("_", " ") if _LIKE_A_CODE.match(value) else value

    def red_flag(self, code_or_text: str) -> str:
        """A red flag in French words."""
        return self.wording("red_flag", code_or_text)

    def system_uri(self, oid: str) -> str:
        """FHIR URI of a code system, `urn:oid:` where it has none."""
        return self._uris.get(oid, f"urn:oid:{oid}")

    def display_matches(self, code: Code) -> bool | None:
        """Whether the display belongs to the code; None when our tables cannot tell.

        In systems whose codes people label in their own words, only the label of another code is a contradiction.
        """
        own = self._displays.get((code.system, code.code), frozenset())
        shown = _plain(code.display)
        if shown in own:
            return True
        if self._codes.get((code.system, shown), frozenset()) - {code.code}:
            return False
        free = {self.oids[key] for key in _FREE_WORDING} | {self.local_system}
        return False if own and code.system not in free else None


def _plain(display: str) -> str:
    """Capitals, spaces and the shape of an apostrophe make no other display; accents do."""
    return " ".join(display.replace("’", "'").casefold().split())


@cache
def load() -> Terminology:
    """The shipped tables, read once per process. Raises MappingError `MAP-001` with file and row."""
    manifest = tables.toml("manifest.toml")
    oids, uris = loader.systems()
    local = str(tables.field(manifest, "local_code_system", "manifest.toml", "racine"))
    sets = loader.value_sets()
    sections, order = loader.sections(oids)
    measures = loader.measures(oids, local)
    sites = loader.sites(oids["SNOMED-CT"])
    templates = tables.field(manifest, "template", "manifest.toml", "racine")
    documents = {(row.kind, closing): row for closing, row in loader.documents(sets, oids, templates)}
    icf = loader.icf()
    displays, codes = _index(sets, sections, measures, sites, loader.icd10(oids["CIM-10"]))
    general = tables.toml("documents.toml")
    fixed = tables.toml("systems.toml")
    identifiers = tables.field(fixed, "identifier", "systems.toml", "racine")
    return Terminology(
        version=str(tables.field(manifest, "version", "manifest.toml", "racine")),
        local_system=local,
        identifiers={name: identifiers[name] for name in ("professional_prefix", "structure_prefix")},
        professional_root=str(identifiers["professional_root"]),
        structure_root=str(identifiers["structure_root"]),
        zones=general["zone"],
        encounters=general["encounter"],
        session_cap=loader.session_cap(),
        evaluation_act=loader.fixed_code(general["evaluation_act"], oids),
        pdf_template=str(tables.field(general["level1"], "template", "documents.toml", "level1")),
        pdf_format=loader.format_of(general["level1"]),
        renewal=tables.field(general, "renewal", "documents.toml", "racine"),
        order=order,
        oids=oids,
        sides=tables.field(fixed, "side", "systems.toml", "racine"),
        units=loader.units(),
        icf_items=icf,
        panels=loader.panels(oids["LOINC"]),
        _documents=documents,
        _sections=sections,
        _measures=measures,
        _sets=sets,
        _sites=sites,
        _labels=loader.labels(),
        _uris=uris,
        _displays=displays,
        _codes=codes,
    )


_Index = Mapping[tuple[str, str], frozenset[str]]


def _index(
    sets: Mapping[tuple[str, str], Code],
    sections: Mapping[str, SectionDef],
    measures: Mapping[str, MeasureDef],
    sites: Mapping[str, Code],
    icd10: Mapping[str, Code],
) -> tuple[_Index, _Index]:
    """Displays by (system, code) and codes by (system, display), over every table."""
    displays: defaultdict[tuple[str, str], set[str]] = defaultdict(set)
    codes: defaultdict[tuple[str, str], set[str]] = defaultdict(set)
    every = [*sets.values(), *(section.code for section in sections.values()), *sites.values(), *icd10.values()]
    for measure in measures.values():
        answers = [answer.code for answer in measure.answers.values() if answer.code]
        every += [*measure.fhir, *measure.by_site.values(), *answers, *([measure.cda] if measure.cda else [])]
    for code in every:
        if code.display:
            displays[code.system, code.code].add(_plain(code.display))
            codes[code.system, _plain(code.display)].add(code.code)
    return (
        {key: frozenset(found) for key, found in displays.items()},
        {key: frozenset(found) for key, found in codes.items()},
    )
