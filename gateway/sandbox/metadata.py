"""XDS metadata of the French profile: required attributes, syntaxes, value sets (spec dmp §3).

Nothing here looks at the document; `crosscheck.py` does. Every defect is an XDSRegistryMetadataError,
except a mask that the DMP's policy forbids. The DMP and the reader of XDM archives share these rules.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from gateway.sandbox import ebrim, limits
from gateway.sandbox.ebrim import Author, Code, RegistryObject
from gateway.sandbox.hl7 import check_utc, is_matricule, is_oid, is_ps_id, key_holds, parse_cx, parse_xcn, parse_xon
from gateway.sandbox.problems import POLICY, REGISTRY_METADATA, Problem
from gateway.sandbox.values import facts, in_set

APPROVED = "urn:oasis:names:tc:ebxml-regrep:StatusType:Approved"
_SET_SLOTS = {"submissionTime", "intendedRecipient"}
_ENTRY_SLOTS = {
    "creationTime",
    "serviceStartTime",
    "serviceStopTime",
    "languageCode",
    "legalAuthenticator",
    "sourcePatientId",
    "sourcePatientInfo",
    "hash",
    "size",
    "URI",
    "repositoryUniqueId",
}
_ONE_CODE = {
    ebrim.CLASS_CODE: "classCode",
    ebrim.TYPE_CODE: "typeCode",
    ebrim.FORMAT_CODE: "formatCode",
    ebrim.FACILITY: "healthcareFacilityTypeCode",
    ebrim.PRACTICE: "practiceSettingCode",
}
_PID = re.compile(r"PID-(3|5|7|8|11|13|14|15|16|18|21)\|.+")


def is_signature(entry: RegistryObject) -> bool:
    """Whether the entry is the signature of its submission set (spec dmp §2.2)."""
    code = entry.code(ebrim.CLASS_CODE)
    return code is not None and [code.code, code.scheme] == facts()["signature_entry"]["class"]


@dataclass(frozen=True, slots=True)
class Rules:
    """What differs between the DMP and an XDM archive sent by mail (spec mssante §2.3).

    `ins_required`: patientId must be an INS (a mail may name the patient by a local id).
    `refused_types`: document types of JDV_J07 that are not the DMP's (JDV_J66).
    `one_mask`: MASQUE_PS and INVISIBLE_PATIENT may not be cumulated (EX_2.1-1050).
    """

    ins_required: bool
    refused_types: frozenset[str]
    one_mask: bool

    def check_patient(self, value: str) -> None:
        """Raise ValueError unless the value names a patient as these rules want."""
        if self.ins_required:
            check_ins(value)
        else:
            check_patient_id(value)


DMP_RULES = Rules(True, frozenset(facts()["types_refused_by_dmp"]), True)
MAIL_RULES = Rules(False, frozenset(), False)


def check_set(submission_set: RegistryObject, rules: Rules = DMP_RULES) -> list[Problem]:
    """Defects of a submission set's own attributes."""
    return list(_set_problems(submission_set, rules))


def check_entry(entry: RegistryObject, rules: Rules = DMP_RULES) -> list[Problem]:
    """Defects of a document entry's own attributes."""
    return list(_entry_problems(entry, rules))


def _bad(owner: RegistryObject, attribute: str, message: str) -> Problem:
    return Problem(REGISTRY_METADATA, f"{owner.label}/{attribute}", f"{attribute} : {message}")


def _set_problems(owner: RegistryObject, rules: Rules) -> Iterator[Problem]:
    yield from limits.check(owner)
    yield from limits.check_set(owner)
    yield from _slots_known(owner, _SET_SLOTS)
    yield from _slot(owner, "submissionTime", check_utc)
    yield from _identifier(owner, ebrim.SET_UNIQUE, "uniqueId", _check_oid)
    yield from _identifier(owner, ebrim.SET_SOURCE, "sourceId", _check_oid)
    yield from _identifier(owner, ebrim.SET_PATIENT, "patientId", rules.check_patient)
    yield from _authors(owner, most=1)
    yield from _one_code(owner, ebrim.SET_CONTENT_TYPE, "contentTypeCode", _check_content_type)


def _entry_problems(owner: RegistryObject, rules: Rules) -> Iterator[Problem]:
    yield from limits.check(owner)
    yield from _slots_known(owner, _ENTRY_SLOTS)
    yield from _plain_attributes(owner)
    yield from _slot(owner, "creationTime", check_utc)
    yield from _service_times(owner)
    yield from _slot(owner, "legalAuthenticator", check_person)
    yield from _slot(owner, "sourcePatientId", check_patient_id)
    yield from _source_patient_info(owner)
    yield from _identifier(owner, ebrim.ENTRY_UNIQUE, "uniqueId", _check_document_id)
    yield from _identifier(owner, ebrim.ENTRY_PATIENT, "patientId", rules.check_patient)
    yield from _authors(owner, most=None)
    checker = _signature_codes() if is_signature(owner) else _document_codes(rules)
    for scheme, name in _ONE_CODE.items():
        yield from _one_code(owner, scheme, name, checker.get(scheme, _any_code))
    yield from _class_of_type(owner)
    yield from _confidentiality(owner, rules)
    if is_signature(owner):
        yield from _signature_entry(owner)


def _slots_known(owner: RegistryObject, known: set[str]) -> Iterator[Problem]:
    """Extra metadata must have a URN name (ITI TF-3 §4.2.3.1.6); `SourcePatientInfo` is a known bug."""
    for name in owner.slots:
        if name not in known and not name.startswith("urn:"):
            yield _bad(owner, name or "Slot", "slot inconnu (les noms sont sensibles à la casse)")


def _plain_attributes(owner: RegistryObject) -> Iterator[Problem]:
    language = facts()["signature_entry"]["language"] if is_signature(owner) else "fr-FR"
    if owner.slots.get("languageCode") != (language,):
        yield _bad(owner, "languageCode", f"« {language} » attendu")
    if owner.mime_type not in {"text/xml", "application/xslt+xml"}:
        yield _bad(owner, "mimeType", "text/xml attendu")
    if not owner.title:
        yield _bad(owner, "title", "titre obligatoire")
    if owner.element.get("status", APPROVED) != APPROVED:
        yield _bad(owner, "availabilityStatus", "un document soumis est Approved")


def _slot(owner: RegistryObject, name: str, check: Callable[[str], None]) -> Iterator[Problem]:
    """A required slot with one value."""
    values = owner.slots.get(name, ())
    if len(values) != 1 or not values[0]:
        yield _bad(owner, name, f"une valeur attendue, {len(values)} trouvée(s)")
        return
    yield from _try(owner, name, check, values[0])


def _try(owner: RegistryObject, name: str, check: Callable[[str], None], value: str) -> Iterator[Problem]:
    try:
        check(value)
    except ValueError as fault:
        yield _bad(owner, name, str(fault))


def _identifier(owner: RegistryObject, scheme: str, name: str, check: Callable[[str], None]) -> Iterator[Problem]:
    values = owner.identifiers.get(scheme, [])
    if len(values) != 1 or not values[0]:
        yield _bad(owner, name, f"un identifiant externe attendu, {len(values)} trouvé(s)")
        return
    yield from _try(owner, name, check, values[0])


def _service_times(owner: RegistryObject) -> Iterator[Problem]:
    def check(value: str) -> None:
        check_utc(value, lengths=(8, 10, 12, 14))

    yield from _slot(owner, "serviceStartTime", check)
    if "serviceStopTime" in owner.slots:
        yield from _slot(owner, "serviceStopTime", check)
        if owner.slot("serviceStopTime") < owner.slot("serviceStartTime"):
            yield _bad(owner, "serviceStopTime", "fin antérieure au début")


def _check_oid(value: str) -> None:
    if not is_oid(value):
        raise ValueError(f"OID attendu (64 caractères au plus), reçu « {value} »")


def _check_document_id(value: str) -> None:
    """OID, or OID^extension of at most 128 characters (ITI TF-3 table 4.2.3.2-1)."""
    root, _, extension = value.partition("^")
    if not is_oid(root) or len(value) > 128 or ("^" in value and not re.fullmatch(r"[\w.-]{1,64}", extension)):
        raise ValueError("OID (ou OID^extension de 128 caractères au plus) attendu")


def check_ins(value: str) -> None:
    """Raise ValueError unless the value is a CX that holds an INS (matricule of 15, known OID, type NH)."""
    patient = parse_cx(value)
    if patient.type != "NH":
        raise ValueError("composant 5 : NH attendu")
    if patient.oid not in facts()["ins_oids"]:
        raise ValueError(f"OID {patient.oid} : ce n'est pas un OID d'INS (1.2.250.1.213.1.4.8 à .11)")
    if not is_matricule(patient.id):
        raise ValueError("matricule INS de 15 caractères attendu")
    if patient.oid in facts()["production_oids"] and not key_holds(patient.id):
        raise ValueError("clé du matricule INS fausse")


def check_patient_id(value: str) -> None:
    """Raise ValueError unless the value is an INS (NH) or an identifier of the sender (PI)."""
    patient = parse_cx(value)
    if patient.type == "NH":
        check_ins(value)
    if (patient.type == "NH") != (patient.oid in facts()["ins_oids"]) or patient.type not in {"NH", "PI"}:
        raise ValueError("identifiant local (PI) sous l'OID de l'émetteur, ou INS (NH), attendu")


def _source_patient_info(owner: RegistryObject) -> Iterator[Problem]:
    for value in owner.slots.get("sourcePatientInfo", ()):
        if not _PID.fullmatch(value):
            yield _bad(owner, "sourcePatientInfo", f"champ PID inattendu : « {value.partition('|')[0]} »")


def check_person(value: str) -> None:
    """Raise ValueError unless the value is an XCN with a national PS identifier."""
    person = parse_xcn(value)
    if person.id_type in {"IDNPS", "EI"}:
        if person.oid != facts()["ps_oid"] or not is_ps_id(person.id):
            raise ValueError(f"PS_IdNat sous {facts()['ps_oid']} attendu (8 + RPPS)")
        if not person.given:
            raise ValueError("prénom absent")
    if person.id.startswith("8") and person.id_type != "IDNPS":
        raise ValueError("composant 13 : IDNPS attendu pour un identifiant RPPS")


def check_institution(value: str) -> None:
    """Raise ValueError unless the value is an XON with a Struct_IdNat."""
    organisation = parse_xon(value)
    if organisation.oid != facts()["structure_oid"] or organisation.id_type != "IDNST":
        raise ValueError(f"Struct_IdNat sous {facts()['structure_oid']}, type IDNST, attendu")


def _check_specialty(value: str) -> None:
    code, _, rest = value.partition("^")
    label, _, system = rest.partition("^")
    if not label or not in_set("J01", code, system):
        raise ValueError("code^libellé^OID de JDV_J01 attendu (exemple G15_70)")


def _authors(owner: RegistryObject, most: int | None) -> Iterator[Problem]:
    if not owner.authors or (most is not None and len(owner.authors) > most):
        yield _bad(owner, "author", f"{most or 'au moins un'} auteur attendu, {len(owner.authors)} trouvé(s)")
    for author in owner.authors:
        yield from _author(owner, author)


def _author(owner: RegistryObject, author: Author) -> Iterator[Problem]:
    if len(author.person) != 1:
        yield _bad(owner, "authorPerson", f"une valeur attendue, {len(author.person)} trouvée(s)")
    for name, values, check in (
        ("authorPerson", author.person, check_person),
        ("authorInstitution", author.institution, check_institution),
        ("authorSpecialty", author.specialty, _check_specialty),
    ):
        for value in values:
            yield from _try(owner, name, check, value)


_CodeCheck = Callable[[Code], bool]


def _any_code(code: Code) -> bool:
    return bool(code.code)


def _one_code(owner: RegistryObject, scheme: str, name: str, check: _CodeCheck) -> Iterator[Problem]:
    codes = owner.codes.get(scheme, [])
    if len(codes) != 1:
        yield _bad(owner, name, f"un code attendu, {len(codes)} trouvé(s)")
    elif codes[0].code and codes[0].scheme and not check(codes[0]):
        yield _bad(owner, name, f"« {codes[0].code} » ({codes[0].scheme}) hors du jeu de valeurs")


def _check_content_type(code: Code) -> bool:
    known = facts()["content_types"]
    return known.get(code.code) == code.scheme or in_set("J02", code.code, code.scheme)


def _document_codes(rules: Rules) -> dict[str, _CodeCheck]:
    known = facts()
    return {
        ebrim.CLASS_CODE: lambda c: c.code in known["class_codes"] and c.scheme == known["class_scheme"],
        ebrim.TYPE_CODE: lambda c: in_set("J07", c.code, c.scheme) and c.code not in rules.refused_types,
        ebrim.FORMAT_CODE: lambda c: known["formats"].get(c.code) == c.scheme,
        ebrim.FACILITY: lambda c: in_set("J02", c.code, c.scheme),
        ebrim.PRACTICE: lambda c: in_set("J04", c.code, c.scheme),
    }


def _signature_codes() -> dict[str, _CodeCheck]:
    wanted = facts()["signature_entry"]
    return {
        ebrim.CLASS_CODE: lambda c: [c.code, c.scheme] == wanted["class"],
        ebrim.TYPE_CODE: lambda c: [c.code, c.scheme] == wanted["type"],
        ebrim.FORMAT_CODE: lambda c: [c.code, c.scheme] in wanted["formats"],
        ebrim.FACILITY: lambda c: in_set("J02", c.code, c.scheme),
        ebrim.PRACTICE: lambda c: in_set("J04", c.code, c.scheme),
    }


def _class_of_type(owner: RegistryObject) -> Iterator[Problem]:
    """classCode follows from typeCode (ASS_X16-CorrespondanceType-Classe-DMP)."""
    kind, group = owner.code(ebrim.TYPE_CODE), owner.code(ebrim.CLASS_CODE)
    if kind is None or group is None:
        return
    wanted = facts()["class_of_type"].get(kind.code)
    if wanted is not None and group.code in facts()["class_codes"] and wanted != group.code:
        yield _bad(owner, "classCode", f"classe {wanted} attendue pour le type {kind.code} (ASS_X16)")


def _confidentiality(owner: RegistryObject, rules: Rules) -> Iterator[Problem]:
    codes = owner.codes.get(ebrim.CONFIDENTIALITY, [])
    known = facts()
    if not 1 <= len(codes) <= 4 or len({code.code for code in codes}) != len(codes):
        yield _bad(owner, "confidentialityCode", "1 à 4 codes différents attendus")
        return
    if any(not in_set("J08", code.code, code.scheme) for code in codes):
        yield _bad(owner, "confidentialityCode", "code hors de JDV_J58 (N, R, V, MASQUE_PS, ...)")
    if codes[0].scheme != known["base_confidentiality_scheme"]:
        yield _bad(owner, "confidentialityCode", "le premier code est celui du CDA (N, R ou V)")
    masks = {code.code for code in codes[1:]}
    if rules.one_mask and not is_signature(owner) and {"MASQUE_PS", "INVISIBLE_PATIENT"} <= masks:
        where = f"{owner.label}/confidentialityCode"
        yield Problem(POLICY, where, "MASQUE_PS et INVISIBLE_PATIENT ne se cumulent pas (EX_2.1-1050)")


def _signature_entry(owner: RegistryObject) -> Iterator[Problem]:
    """Title, purpose and the confidentiality triple of the signature's entry (spec dmp §2.2)."""
    wanted = facts()["signature_entry"]
    events = [[code.code, code.scheme] for code in owner.codes.get(ebrim.EVENT_CODE, [])]
    if events != [wanted["event"]]:
        yield _bad(owner, "eventCodeList", f"« {wanted['event'][0]} » attendu pour la signature")
    if owner.title != wanted["title"]:
        yield _bad(owner, "title", f"« {wanted['title']} » attendu pour la signature")
    masks = {code.code for code in owner.codes.get(ebrim.CONFIDENTIALITY, [])}
    if masks != {"N", "MASQUE_PS", "INVISIBLE_PATIENT"}:
        yield _bad(owner, "confidentialityCode", "N, MASQUE_PS et INVISIBLE_PATIENT attendus")
