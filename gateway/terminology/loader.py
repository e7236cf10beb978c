"""From the files of mappings/ to the values of `model`. About ten milliseconds, once per process."""

from __future__ import annotations

import tomllib
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import replace
from decimal import Decimal
from typing import Any, Literal, cast

from gateway import resources
from gateway.terminology.concepts import Code
from gateway.terminology.model import Answer, DocumentDef, IcfDef, MeasureDef, PanelDef, SectionDef, UnitDef
from gateway.terminology.tables import Row, fault, field, folded, number, rows, toml

Sets = Mapping[tuple[str, str], Code]
_MEASURES = (
    *("code", "label", "group", "category", "input_unit", "ucum", "min", "max", "better"),
    *("cda_loinc", "cda_display", "fhir_loinc", "fhir_display", "snomed", "snomed_display", "source"),
)
_NO_CODE = ("ucum", "min", "max", "cda_loinc", "cda_display", "fhir_loinc", "fhir_display", "snomed", "snomed_display")
_CATEGORIES = {"pain", "vital", "survey", "result"}
_FORMAT = ("code", "system", "display")
_BETTER = {"high", "low", "none"}


def systems() -> tuple[dict[str, str], dict[str, str]]:
    """OID by short name, and FHIR URI by OID."""
    oids: dict[str, str] = {}
    uris: dict[str, str] = {}
    for table in toml("systems.toml").get("system", []):
        key, oid = (str(field(table, name, "systems.toml", "system")) for name in ("key", "oid"))
        oids[key] = oid
        if "uri" in table:
            uris[oid] = str(table["uri"])
    for key in ("LOINC", "SNOMED-CT", "CIM-10", "CIF", "TERMINOLOGIE-CISIS"):
        if key not in oids:
            raise fault("systems.toml", "system", f"« {key} » manque")
    return oids, uris


def value_sets() -> dict[tuple[str, str], Code]:
    """Every row of value_sets.csv by set and code. A code in two systems of one set keeps the first."""
    found: dict[tuple[str, str], Code] = {}
    columns = ("set", "code", "system", "display", "source_oid", "source_date")
    for row in rows("value_sets.csv", columns, ("set", "code", "system"), optional=("source_date",)):
        found.setdefault((row["set"], row["code"]), Code(row["code"], row["system"], row["display"]))
    return found


def documents(sets: Sets, oids: Mapping[str, str], templates: Mapping[str, Any]) -> Iterator[tuple[bool, DocumentDef]]:
    """The active rows of documents.toml, each with whether it is for the end of an episode."""
    tables = toml("documents.toml")
    common = field(tables, "defaults", "documents.toml", "racine")
    for table in tables.get("document", []):
        if table.get("active"):
            yield bool(table.get("closes_episode", False)), _document(table, common, sets, oids, templates)


def _document(
    table: Mapping[str, Any],
    common: Mapping[str, Any],
    sets: Sets,
    oids: Mapping[str, str],
    templates: Mapping[str, Any],
) -> DocumentDef:
    def get(source: Mapping[str, Any], name: str) -> str:
        return str(field(source, name, "documents.toml", str(table.get("kind", "document"))))

    kind, code = get(table, "kind"), get(table, "type")
    if ("J07", code) not in sets or sets["J07", code].system != oids["LOINC"]:
        raise fault("documents.toml", kind, f"type {code} absent de JDV_J07")
    confidentiality = get(common, "confidentiality")
    if ("J08", confidentiality) not in sets:
        raise fault("documents.toml", "defaults", f"confidentialité {confidentiality} absente de JDV_J08")
    return DocumentDef(
        kind=kind,
        type=sets["J07", code],
        class_code=Code(get(table, "class_code"), get(common, "class_system"), get(table, "class_display")),
        format_code=Code(get(common, "format_code"), get(common, "format_system"), get(common, "format_display")),
        template_id=str(field(templates, get(table, "template"), "manifest.toml", "template")),
        title=get(table, "title"),
        confidentiality=sets["J08", confidentiality],
        language=get(common, "language"),
    )


def format_of(table: Mapping[str, Any]) -> Code:
    """The format of a document at level 1."""
    code, system, display = (field(table, f"format_{name}", "documents.toml", "level1") for name in _FORMAT)
    return Code(str(code), str(system), str(display))


def sections(oids: Mapping[str, str]) -> tuple[dict[str, SectionDef], dict[str, tuple[str, ...]]]:
    """Sections by key, and their order in each kind of document."""
    tables = toml("sections.toml")
    found = {key: _section(key, table, oids["LOINC"]) for key, table in tables.get("section", {}).items()}
    order = {str(kind): tuple(keys) for kind, keys in field(tables, "order", "sections.toml", "racine").items()}
    for keys in (*order.values(), *(section.subsections for section in found.values())):
        unknown = [key for key in keys if key not in found]
        if unknown:
            raise fault("sections.toml", "order", f"section inconnue « {unknown[0]} »")
    return found, order


def _section(key: str, table: Mapping[str, Any], loinc: str) -> SectionDef:
    code, display, title = (str(field(table, name, "sections.toml", key)) for name in ("code", "display", "title"))
    return SectionDef(
        key=key,
        code=Code(code, loinc, display),
        title=title,
        cda_templates=tuple(field(table, "cda_templates", "sections.toml", key)),
        cda_templates_uncoded=tuple(table.get("cda_templates_uncoded", ())),
        subsections=tuple(table.get("subsections", ())),
    )


def measures(oids: Mapping[str, str], local: str) -> dict[str, MeasureDef]:
    """The catalogue, with the codes that depend on the site and the coded answers."""
    by_site = _by_site(oids)
    answers = _answers(oids)
    important, member_of = _differences(), _members()
    found = {
        row["code"]: replace(
            _measure(row, oids, local, by_site.get(row["code"], {}), answers.get(row["code"], {})),
            important=important.get(row["code"]),
            panel=member_of.get(row["code"]),
        )
        for row in rows("measures.csv", _MEASURES, ("code",), optional=_NO_CODE)
    }
    linked_files: tuple[tuple[str, Mapping[str, object]], ...] = (
        *(("measures_by_site.csv", by_site), ("answers.csv", answers)),
        *(("differences.csv", important), ("panels.toml", member_of)),
    )
    for file, linked in linked_files:
        unknown = [name for name in linked if name not in found]
        if unknown:
            raise fault(file, "fichier", f"mesure inconnue « {unknown[0]} »")
    return found


def _differences() -> dict[str, Decimal]:
    """Smallest clinically important differences, in the unit of the measure."""
    found = {}
    for row in rows("differences.csv", ("measure", "difference", "population", "source"), ("measure",)):
        value = number(row["difference"], "differences.csv", row["measure"])
        assert value is not None  # the column is compulsory
        found[row["measure"]] = value
    return found


def _members() -> dict[str, str]:
    tables = toml("panels.toml").get("panel", [])
    return {
        str(code): str(table["key"]) for table in tables for code in field(table, "members", "panels.toml", "panel")
    }


def panels(loinc: str) -> dict[str, PanelDef]:
    """Questionnaires by key."""
    found = {}
    for table in toml("panels.toml").get("panel", []):
        key, label = (str(field(table, name, "panels.toml", "panel")) for name in ("key", "label"))
        code = Code(str(table["loinc"]), loinc, label) if "loinc" in table else None
        found[key] = PanelDef(key, label, code)
    return found


def _by_site(oids: Mapping[str, str]) -> dict[str, dict[tuple[str, str], Code]]:
    found: defaultdict[str, dict[tuple[str, str], Code]] = defaultdict(dict)
    columns = ("measure", "site", "side", "loinc", "display", "source")
    for row in rows("measures_by_site.csv", columns, ("measure", "site", "side"), optional=("site", "side")):
        found[row["measure"]][folded(row["site"]), row["side"]] = Code(row["loinc"], oids["LOINC"], row["display"])
    return found


def _answers(oids: Mapping[str, str]) -> dict[str, dict[Decimal, Answer]]:
    found: defaultdict[str, dict[Decimal, Answer]] = defaultdict(dict)
    columns = ("measure", "value", "code", "system", "display", "source")
    for row in rows("answers.csv", columns, ("measure", "value"), optional=("code", "system")):
        code = Code(row["code"], oids[row["system"]], row["display"]) if row["code"] else None
        value = number(row["value"], "answers.csv", row["measure"])
        assert value is not None  # the column is compulsory
        found[row["measure"]][value] = Answer(row["display"], code)
    return found


def _measure(
    row: Row,
    oids: Mapping[str, str],
    local: str,
    by_site: Mapping[tuple[str, str], Code],
    answers: Mapping[Decimal, Answer],
) -> MeasureDef:
    where = row["code"]
    if row["category"] not in _CATEGORIES or row["better"] not in _BETTER:
        raise fault("measures.csv", where, "catégorie ou sens inconnu")
    snomed = _code(row, "snomed", "snomed_display", oids["SNOMED-CT"])
    cda = _code(row, "cda_loinc", "cda_display", oids["LOINC"])
    fhir = _code(row, "fhir_loinc", "fhir_display", oids["LOINC"])
    return MeasureDef(
        code=where,
        label=row["label"],
        group=row["group"],
        category=cast(Literal["pain", "vital", "survey", "result"], row["category"]),
        input_unit=row["input_unit"],
        ucum=row["ucum"] or None,
        minimum=number(row["min"], "measures.csv", where),
        maximum=number(row["max"], "measures.csv", where),
        better=cast(Literal["high", "low", "none"], row["better"]),
        local=Code(where, local, row["label"]),
        cda=cda or snomed,
        fhir=tuple(code for code in (fhir, snomed) if code is not None),
        by_site=by_site,
        answers=answers,
    )


def _code(row: Row, name: str, display: str, system: str) -> Code | None:
    if not row[name]:
        return None
    if not row[display]:
        raise fault("measures.csv", row["code"], f"« {display} » vide")
    return Code(row[name], system, row[display])


def sites(snomed: str) -> dict[str, Code]:
    """Body sites by French label, without capitals nor accents."""
    found: dict[str, Code] = {}
    for row in rows("sites.csv", ("code", "display", "labels", "source"), ("code",)):
        for label in (*row["labels"].split("|"), row["display"]):
            if found.setdefault(folded(label), Code(row["code"], snomed, row["display"])).code != row["code"]:
                raise fault("sites.csv", row["code"], f"« {label} » désigne deux sites")
    return found


def icf() -> dict[str, IcfDef]:
    """Items of the classification of functioning."""
    found = {}
    for row in rows("icf.csv", ("code", "label_fr", "verified", "source"), ("code",)):
        if row["verified"] not in {"yes", "no"}:
            raise fault("icf.csv", row["code"], "verified vaut yes ou no")
        found[row["code"]] = IcfDef(row["code"], row["label_fr"], row["verified"] == "yes")
    return found


def icd10(system: str) -> dict[str, Code]:
    """CIM-10 codes whose French label was read in a source; the display is empty for the others."""
    columns = ("code", "label_fr", "gloss_en", "source")
    table = rows("icd10.csv", columns, ("code",), optional=("label_fr", "gloss_en"))
    return {row["code"]: Code(row["code"], system, row["label_fr"]) for row in table}


def units() -> dict[str, UnitDef]:
    """French words by UCUM unit."""
    table = rows("units.csv", ("ucum", "singular", "plural", "source"), ("ucum",))
    return {row["ucum"]: UnitDef(row["singular"], row["plural"]) for row in table}


def labels() -> dict[str, dict[str, str]]:
    """French words by list and value."""
    return {name: {str(k): str(v) for k, v in table.items()} for name, table in toml("labels.toml").items()}


def fixed_code(table: Mapping[str, Any], oids: Mapping[str, str]) -> Code:
    """A code written out in a TOML table, its system by short name."""
    code, system, display = (
        str(field(table, name, "documents.toml", "code")) for name in ("code", "system", "display")
    )
    return Code(code, oids[system], display)


def session_cap() -> int:
    """Sessions of an episode without prior diagnosis: shown as rank n/8, kept with the rules in config/."""
    access = tomllib.loads(resources.read_text("config", "departments.toml")).get("access", {})
    return int(field(access, "session_cap", "departments.toml", "access"))
