"""Header of a document: patient, author, practice, recipients, codes (CI-SIS structuration minimale)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date, datetime, time
from zoneinfo import ZoneInfo

from gateway.document.build_frame import Frame
from gateway.document.model import (
    Addressee,
    Code,
    DocumentRef,
    Episode,
    Header,
    Id,
    PatientIdentity,
    PersonName,
    PostalAddress,
    Professional,
    StructureRef,
    Telecom,
)
from gateway.errors import InputError
from gateway.findings import error
from gateway.identity.ins import ins_may_leave
from gateway.records.clinical import Outcome, TreatmentSummary
from gateway.records.level1 import PdfDocument
from gateway.records.people import Address, Patient, Recipient, RecipientRole, Sex, StructureId
from gateway.settings import AccountSettings
from gateway.terminology import DocumentDef, Terminology

_MOBILE = re.compile(r"^(\+33|0033|0)[67]")
_ENDED = frozenset({Outcome.GOALS_REACHED, Outcome.ABANDONED})


@dataclass(frozen=True, slots=True)
class DocumentIds:
    """Identifiers drawn before building: OIDs (`2.25.<uuid>`) of the document and of its set of versions.

    A corrected version keeps its predecessor's set, counts one more, and names what it replaces.
    """

    id: str
    set_id: str
    version: int = 1
    replaces: DocumentRef | None = None


def build_header(frame: Frame, account: AccountSettings, ids: DocumentIds, software: str) -> Header:
    """Everything that CI-SIS structuration minimale, XDS and the mail need to know."""
    submission, terms, told = frame.submission, frame.terms, frame.told
    known = _definition(frame)
    practice = _practice(frame)
    author = _author(frame, account, practice)
    start, stop = _service(frame)
    setting = submission.organization.practice_setting
    return Header(
        kind=told.kind,
        id=ids.id,
        set_id=ids.set_id,
        version=ids.version,
        type=known.type,
        class_code=known.class_code,
        format_code=known.format_code,
        template_id=known.template_id,
        title=known.title,
        effective_time=told.date,
        confidentiality=known.confidentiality,
        visibility=tuple(_visibility(frame)),
        language=known.language,
        patient=_patient(submission.patient, account, terms),
        author=author,
        custodian=practice,
        addressees=tuple(addressees(frame, account)),
        medecin_traitant=_medecin_traitant(frame, account),
        service_start=start,
        service_stop=stop,
        practice_setting=terms.value("J04", setting),
        facility_type=terms.value("J02", submission.organization.facility_type),
        encounter=terms.value("J142", terms.encounters.get(setting, terms.encounters["default"])),
        author_document_id=told.id,
        software=software,
        episode=_episode(frame),
        replaces=ids.replaces,
    )


def _definition(frame: Frame) -> DocumentDef:
    """What the document is called; a PDF keeps the kind's type and class under the template of level 1."""
    told = frame.told
    if not isinstance(told, PdfDocument):
        return frame.terms.document(told.kind, closes_episode=_closes_episode(frame))
    known = frame.terms.level1(told.kind)
    return known if told.title is None else replace(known, title=told.title)


def _episode(frame: Frame) -> Episode | None:
    access = frame.submission.access
    if access is None:
        return None
    known = access.episode
    return Episode(known.id, known.start, _closes_episode(frame))


def _closes_episode(frame: Frame) -> bool:
    return isinstance(frame.told, TreatmentSummary) and frame.told.outcome in _ENDED


def _service(frame: Frame) -> tuple[datetime, datetime | None]:
    """Beginning and end of what is described. Days have no hour: they begin and end at midnight of the practice."""
    clinical = frame.told
    if not isinstance(clinical, TreatmentSummary):
        return clinical.date, None
    end = midnight(frame, clinical.period.end).replace(hour=23, minute=59, second=59)
    # Written during the last day of the period: it cannot describe what comes after itself.
    same_day = clinical.period.end == clinical.date.date()
    stop = clinical.date if same_day else end
    # A clock set to another zone than the practice's can put the document before the midnight of its own day.
    return min(midnight(frame, clinical.period.start), stop), stop


def midnight(frame: Frame, value: date) -> datetime:
    """The first instant of a day, in the zone of the department where the care is given."""
    zones = frame.terms.zones
    zone = ZoneInfo(zones.get(frame.access.department, zones["default"]))
    return datetime.combine(value, time(), zone)


def _visibility(frame: Frame) -> Iterator[Code]:
    hidden = frame.submission.visibility
    for wanted, code in (
        (hidden.masked_to_professionals, "MASQUE_PS"),
        (hidden.hidden_from_patient, "INVISIBLE_PATIENT"),
        (hidden.hidden_from_representatives, "INVISIBLE_REPRESENTANTS_LEGAUX"),
    ):
        if wanted:
            yield frame.terms.value("J08", code)


def _patient(patient: Patient, account: AccountSettings, terms: Terminology) -> PatientIdentity:
    """The traits that are known. The INS only when it may leave (DESIGN §4, Identity)."""
    given = patient.birth_given or ((patient.first_birth_given,) if patient.first_birth_given else ())
    if patient.birth_family is None or patient.birth_date is None or not given:
        raise InputError([error("INS-013", "/patient", "Trait d'identité absent : le document ne désigne personne.")])
    leaves = patient.ins is not None and ins_may_leave(patient, account.environment)
    return PatientIdentity(
        ins=Id(patient.ins.oid, patient.ins.matricule) if leaves and patient.ins else None,
        identity_status=patient.identity_status.value,
        local_ids=tuple(Id(known.root, known.value) for known in patient.identifiers),
        birth_family=patient.birth_family,
        birth_given=given,
        first_given=patient.first_birth_given or given[0],
        used_family=patient.used_family,
        used_given=patient.used_given,
        sex=terms.value("J143", (patient.sex or Sex.UNKNOWN).value),
        birth_date=patient.birth_date,
        birth_place_cog=patient.birth_place_cog,
        birth_place_name=patient.birth_place_name,
        address=_address(patient.address),
        telecoms=_phone(patient.phone, None),
    )


def _address(address: Address | None) -> PostalAddress | None:
    return None if address is None else PostalAddress(address.lines, address.postal_code, address.city)


def _phone(number: str | None, use: str | None) -> tuple[Telecom, ...]:
    """`use` None: a mobile number is MC, another one is H."""
    if number is None:
        return ()
    digits = re.sub(r"[\s.()-]", "", number)
    return (Telecom(f"tel:{digits}", use or ("MC" if _MOBILE.match(digits) else "H")),)


def _structure_id(structure: StructureId, terms: Terminology) -> Id:
    """Struct_IdNat: the prefix says what kind of number follows."""
    prefix = terms.identifiers["structure_prefix"][structure.kind.value]
    return Id(terms.structure_root, prefix + structure.value)


def _professional_id(rpps: str, terms: Terminology) -> Id:
    """PS_IdNat of a holder of an RPPS number."""
    return Id(terms.professional_root, terms.identifiers["professional_prefix"]["rpps"] + rpps)


def _practice(frame: Frame) -> StructureRef:
    practice = frame.submission.organization
    return StructureRef(
        id=_structure_id(practice.id, frame.terms),
        name=practice.name,
        address=_address(practice.address),
        telecoms=_phone(practice.phone, "WP"),
    )


def _author(frame: Frame, account: AccountSettings, practice: StructureRef) -> Professional:
    author = frame.submission.author
    return Professional(
        id=_professional_id(author.rpps, frame.terms),
        rpps=author.rpps,
        name=PersonName(author.family, author.given, author.civility.value if author.civility else None),
        profession=frame.terms.value("J01", author.profession),
        address=practice.address,
        telecoms=(Telecom(f"mailto:{account.mailbox}", "WP", mssante=True), *_phone(author.phone, "WP")),
        structure=practice,
    )


def addressees(frame: Frame, account: AccountSettings) -> Iterator[Addressee]:
    """Professionals the document is sent to: known, and not refused by the patient.

    A second recipient of the same role is `role_2`, counted over all recipients: the name of its destination.
    """
    seen: dict[str, int] = {}
    for recipient in frame.submission.recipients:
        role = recipient.role.value
        seen[role] = seen.get(role, 0) + 1
        if recipient.known and recipient.opposition is None:
            name = role if seen[role] == 1 else f"{role}_{seen[role]}"
            yield Addressee(name, _recipient(recipient, name, frame.terms, account))


def _medecin_traitant(frame: Frame, account: AccountSettings) -> Professional | None:
    """Who the médecin traitant is, even where the patient refuses that the document goes there."""
    role = RecipientRole.MEDECIN_TRAITANT
    known = [one for one in frame.submission.recipients if one.role is role and one.known]
    return _recipient(known[0], role.value, frame.terms, account) if known else None


def _recipient(recipient: Recipient, name: str, terms: Terminology, account: AccountSettings) -> Professional:
    structure = None
    if recipient.organization is not None:
        number = _structure_id(recipient.organization, terms)
        structure = StructureRef(number, f"Structure {number.extension}")
    # Without RPPS the recipient still needs an identifier: one of the practice, under its own root.
    local = Id(account.oid_root, name)
    return Professional(
        id=_professional_id(recipient.rpps, terms) if recipient.rpps else local,
        rpps=recipient.rpps or "",
        name=PersonName(
            recipient.family or recipient.mssante or name,
            recipient.given or "",
            recipient.civility.value if recipient.civility else None,
        ),
        profession=_profession(recipient, terms),
        specialty=recipient.specialty,
        telecoms=(Telecom(f"mailto:{recipient.mssante}", "WP", mssante=True),) if recipient.mssante else (),
        structure=structure,
    )


def _profession(recipient: Recipient, terms: Terminology) -> Code | None:
    return terms.value("J01", recipient.profession) if recipient.profession else None
