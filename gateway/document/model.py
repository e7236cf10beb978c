"""ClinicalDocument: header, sections, coded entries and narrative, independent of any format.

Every rendering and every metadata value (mail subject, XDS attributes, PDF name) is derived from this
object, so they cannot disagree. It is immutable and holds nothing random: identifiers were drawn before.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Literal

from gateway.document.lineage import DocumentRef
from gateway.terminology.concepts import Code, Concept

__all__ = [
    "ActEntry",
    "Addressee",
    "AdverseEventEntry",
    "Block",
    "ClinicalDocument",
    "Code",
    "Concept",
    "DocumentRef",
    "Entry",
    "FunctionEntry",
    "GoalEntry",
    "GoalTarget",
    "Header",
    "Id",
    "Items",
    "Kind",
    "MeasureEntry",
    "Paragraph",
    "PatientIdentity",
    "PersonName",
    "PostalAddress",
    "ProblemEntry",
    "Professional",
    "ReferralEntry",
    "Section",
    "SessionEntry",
    "Span",
    "StatementEntry",
    "StructureRef",
    "Table",
    "Target",
    "Telecom",
]

Target = Literal["cda", "fhir"]
Kind = Literal["assessment", "treatment_summary", "reorientation_letter", "prescriber_information"]


@dataclass(frozen=True, slots=True)
class Id:
    """An instance identifier: bare OID root and extension (HL7 II)."""

    root: str
    extension: str


@dataclass(frozen=True, slots=True)
class PostalAddress:
    """Address lines as written; `city` and `postal_code` apart."""

    lines: tuple[str, ...]
    postal_code: str
    city: str


@dataclass(frozen=True, slots=True)
class Telecom:
    """`value` with its scheme (`tel:`, `mailto:`); `use` in H, HP, WP, MC; `mssante` marks a secure mailbox."""

    value: str
    use: str
    mssante: bool = False


@dataclass(frozen=True, slots=True)
class PersonName:
    """Name of a professional: prefix M or MME (JDV_J245), suffix DR... (JDV_J246)."""

    family: str
    given: str
    prefix: str | None = None
    suffix: str | None = None


@dataclass(frozen=True, slots=True)
class StructureRef:
    """The practice: `id` is Struct_IdNat (root 1.2.250.1.71.4.2.2, extension with its prefix)."""

    id: Id
    name: str
    address: PostalAddress | None = None
    telecoms: tuple[Telecom, ...] = ()


@dataclass(frozen=True, slots=True)
class Professional:
    """A health professional: `id` is PS_IdNat (root 1.2.250.1.71.4.2.1, `8` + RPPS)."""

    id: Id
    rpps: str
    name: PersonName
    profession: Code | None
    specialty: str | None = None
    address: PostalAddress | None = None
    telecoms: tuple[Telecom, ...] = ()
    structure: StructureRef | None = None


@dataclass(frozen=True, slots=True)
class PatientIdentity:
    """The patient as the header shows it.

    `ins` is there only when the identity is qualified and all traits are known (DESIGN §4, Identity);
    `birth_given` is the full list of the birth certificate, `first_given` its first element.
    """

    ins: Id | None
    identity_status: str
    local_ids: tuple[Id, ...]
    birth_family: str
    birth_given: tuple[str, ...]
    first_given: str
    used_family: str | None
    used_given: str | None
    sex: Code
    birth_date: date
    birth_place_cog: str | None
    birth_place_name: str | None = None
    address: PostalAddress | None = None
    telecoms: tuple[Telecom, ...] = ()


@dataclass(frozen=True, slots=True)
class Addressee:
    """Somebody the document is sent to, with the role that the kiné gave them."""

    role: str
    professional: Professional


@dataclass(frozen=True, slots=True)
class Episode:
    """The care episode that the document belongs to: the practice's own number, first day, whether care has ended."""

    id: str
    start: date
    closed: bool


@dataclass(frozen=True, slots=True)
class Header:
    """Everything that CI-SIS structuration minimale, XDS and the mail need to know.

    `id` and `set_id` are OIDs (`2.25.<uuid>`), `version` counts from 1, all times are aware.
    `type`, `class_code` and `format_code` come from mappings/documents. `replaces` is an earlier version of the same
    set that some reader holds; a corrected version whose predecessor nobody got replaces nothing.
    """

    kind: Kind
    id: str
    set_id: str
    version: int
    type: Code
    class_code: Code
    format_code: Code
    template_id: str
    title: str
    effective_time: datetime
    confidentiality: Code
    visibility: tuple[Code, ...]
    language: str
    patient: PatientIdentity
    author: Professional
    custodian: StructureRef
    addressees: tuple[Addressee, ...]
    medecin_traitant: Professional | None
    service_start: datetime
    service_stop: datetime | None
    practice_setting: Code
    facility_type: Code
    encounter: Code
    author_document_id: str
    software: str
    episode: Episode | None = None
    replaces: DocumentRef | None = None


@dataclass(frozen=True, slots=True)
class Span:
    """A piece of narrative; entries point to it by `anchor` (unique in the document)."""

    text: str
    anchor: str | None = None


@dataclass(frozen=True, slots=True)
class Paragraph:
    """One paragraph."""

    span: Span


@dataclass(frozen=True, slots=True)
class Items:
    """A bulleted list."""

    items: tuple[Span, ...]


@dataclass(frozen=True, slots=True)
class Table:
    """A table; every row has as many cells as there are columns."""

    columns: tuple[str, ...]
    rows: tuple[tuple[Span, ...], ...]
    caption: str | None = None


Block = Paragraph | Items | Table


@dataclass(frozen=True, slots=True)
class ProblemEntry:
    """A problem or diagnosis. `anchor` names the narrative it stands in, unique per entry."""

    anchor: str
    concept: Concept
    status: Literal["active", "completed"]
    onset: date | None = None
    side: Code | None = None
    note: str | None = None


@dataclass(frozen=True, slots=True)
class MeasureEntry:
    """One measured value.

    `category` says where the targets put it: `pain`, `vital`, `survey` (scores, questionnaires, function)
    or `result` (range of motion, strength, girth). `unit` is UCUM; `answer` replaces the value for coded answers.
    """

    anchor: str
    measure: str
    category: Literal["pain", "vital", "survey", "result"]
    concept: Concept
    value: Decimal | None
    unit: str | None
    effective: datetime
    answer: Code | None = None
    side: Code | None = None
    site: Concept | None = None
    context: str | None = None
    aid: str | None = None
    raw: str | None = None
    reference: Literal["initial", "current"] = "current"
    not_done: str | None = None


@dataclass(frozen=True, slots=True)
class FunctionEntry:
    """An ICF item found impaired; the qualifier is in the code when known."""

    anchor: str
    concept: Concept
    effective: datetime


@dataclass(frozen=True, slots=True)
class GoalTarget:
    """The value that a goal aims at: what is measured (with its place in the text), at most, at least or exactly."""

    concept: Concept
    comparator: Literal["<=", ">=", "="]
    value: Decimal
    unit: str | None


@dataclass(frozen=True, slots=True)
class GoalEntry:
    """A care objective; `reached` is known in a summary only."""

    anchor: str
    text: str
    start: date
    due: date | None = None
    reached: bool | None = None
    target: GoalTarget | None = None


@dataclass(frozen=True, slots=True)
class ActEntry:
    """An act done (`EVN`) or planned (`INT`). `start` is None where no date was given (past surgery)."""

    anchor: str
    concept: Concept
    mood: Literal["EVN", "INT"]
    start: date | None
    stop: date | None = None


@dataclass(frozen=True, slots=True)
class SessionEntry:
    """One session of the treatment."""

    anchor: str
    number: int
    day: date


@dataclass(frozen=True, slots=True)
class StatementEntry:
    """A coded or textual statement that is no measure: outcome of the care, decision on red flags."""

    anchor: str
    concept: Concept
    value: Concept
    effective: datetime


@dataclass(frozen=True, slots=True)
class ReferralEntry:
    """Reorientation to a physician."""

    anchor: str
    to: str
    day: date
    reason: str
    urgency: Literal["programmee", "24h", "urgence"]


@dataclass(frozen=True, slots=True)
class AdverseEventEntry:
    """An undesirable event of the care."""

    anchor: str
    identifier: str
    day: date
    kind: str
    severity: Literal["legere", "moderee", "grave"]
    detail: str | None = None


Entry = (
    ProblemEntry
    | MeasureEntry
    | FunctionEntry
    | GoalEntry
    | ActEntry
    | SessionEntry
    | StatementEntry
    | ReferralEntry
    | AdverseEventEntry
)


@dataclass(frozen=True, slots=True)
class Section:
    """A section: `key` names its row in mappings/sections.toml, where the targets find their templates."""

    key: str
    code: Code
    title: str
    blocks: tuple[Block, ...]
    entries: tuple[Entry, ...] = ()
    subsections: tuple[Section, ...] = ()


@dataclass(frozen=True, slots=True)
class ClinicalDocument:
    """The document. Two equal ClinicalDocuments render to the same bytes.

    At level 1 its body is `pdf`, a file made elsewhere, and there are no sections.
    """

    header: Header
    sections: tuple[Section, ...]
    pdf: bytes | None = None

    def walk(self) -> tuple[Section, ...]:
        """Every section and subsection in reading order."""
        found: list[Section] = []
        for section in self.sections:
            found.append(section)
            found.extend(section.subsections)
        return tuple(found)
