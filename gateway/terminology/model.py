"""What the tables hold, as immutable values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Literal

from gateway.terminology.concepts import Code

Better = Literal["high", "low", "none"]
Category = Literal["pain", "vital", "survey", "result"]


@dataclass(frozen=True, slots=True)
class DocumentDef:
    """What one kind of document is called (documents.toml)."""

    kind: str
    type: Code
    class_code: Code
    format_code: Code
    template_id: str
    title: str
    confidentiality: Code
    language: str


@dataclass(frozen=True, slots=True)
class SectionDef:
    """A section: its code, French title, CDA templates (parent, IHE, French) and possible subsections."""

    key: str
    code: Code
    title: str
    cda_templates: tuple[str, ...]
    cda_templates_uncoded: tuple[str, ...] = ()
    subsections: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class MeasureDef:
    """A measure of the catalogue.

    `input_unit` is what a record must write (`code` for a coded answer), `ucum` the unit sent, None for a coded
    answer. `minimum` and `maximum` are the plausible bounds in that unit. `by_site` gives the codes that hold for
    one joint or side only, `answers` the possible values of a coded answer. `important` is the smallest clinically
    important difference where a source gives one, `panel` the questionnaire that the score belongs to.
    """

    code: str
    label: str
    group: str
    category: Category
    input_unit: str
    ucum: str | None
    minimum: Decimal | None
    maximum: Decimal | None
    better: Better
    local: Code
    cda: Code | None
    fhir: tuple[Code, ...]
    by_site: Mapping[tuple[str, str], Code] = field(default_factory=dict)
    answers: Mapping[Decimal, Answer] = field(default_factory=dict)
    important: Decimal | None = None
    panel: str | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """One possible value of a coded answer; `code` is None where no code was verified."""

    text: str
    code: Code | None


@dataclass(frozen=True, slots=True)
class PanelDef:
    """A questionnaire whose scores travel together (panels.toml); `code` is None where none was verified."""

    key: str
    label: str
    code: Code | None


@dataclass(frozen=True, slots=True)
class UnitDef:
    """French words for a UCUM unit."""

    singular: str
    plural: str


@dataclass(frozen=True, slots=True)
class IcfDef:
    """An item of the classification of functioning; only a verified one is sent as a code."""

    code: str
    label: str
    verified: bool
