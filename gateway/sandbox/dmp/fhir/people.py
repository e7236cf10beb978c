"""Who is inside a resource, as XDS writes them: XCN, XON, CX, sourcePatientInfo (spec dmp §3.3)."""

from __future__ import annotations

from gateway.sandbox.dmp.fhir.elements import Reader, dicts, first, system_value
from gateway.sandbox.dmp.fhir.values import Json, facts
from gateway.sandbox.values import facts as dmp_facts

_ESCAPES = str.maketrans({"\\": "\\E\\", "^": "\\S\\", "&": "\\T\\", "|": "\\F\\", "~": "\\R\\"})


def escape(text: str) -> str:
    """HL7 v2 delimiters escaped (HL7 v2.5 §2.7)."""
    return text.translate(_ESCAPES)


def person(reader: Reader, reference: object, where: str) -> tuple[str, str, str]:
    """XCN, XON and specialty of a PractitionerRole or Practitioner; empty where something is missing."""
    found = reader.contained(reference, where, "PractitionerRole", "Practitioner")
    if found.get("resourceType") != "PractitionerRole":
        return (_xcn(reader, found, where), "", _specialty(found)) if found else ("", "", "")
    doctor = reader.contained(found.get("practitioner"), f"{where}.practitioner", "Practitioner")
    place = reader.contained(found.get("organization"), f"{where}.organization", "Organization")
    return (_xcn(reader, doctor, where) if doctor else "", organization(reader, place, where), _specialty(doctor))


def _xcn(reader: Reader, doctor: Json, where: str) -> str:
    number = system_value(doctor, facts()["practitioner_system"])
    name = first(doctor.get("name"))
    if not number or not isinstance(name, dict) or not name.get("family"):
        reader.fault("required", where, "Practitioner : identifiant national (PS_IdNat) et nom attendus")
        return ""
    given = first(name.get("given")) or ""
    oid = facts()["practitioner_system"].removeprefix("urn:oid:")
    return f"{escape(number)}^{escape(str(name['family']))}^{escape(str(given))}^^^^^^&{oid}&ISO^D^^^IDNPS"


def organization(reader: Reader, place: Json, where: str) -> str:
    """XON of an Organization; a missing number or name is a defect."""
    if not place:
        return ""
    number, name = system_value(place, facts()["structure_system"]), place.get("name")
    if not number or not isinstance(name, str):
        reader.fault("required", where, "Organization : Struct_IdNat et nom attendus")
        return ""
    oid = facts()["structure_system"].removeprefix("urn:oid:")
    return f"{escape(name)}^^^^^&{oid}&ISO^IDNST^^^{escape(number)}"


def _specialty(doctor: Json) -> str:
    """A whole code of JDV_J01 where there is one, else the profession of TRE_G15."""
    oid = facts()["specialty_oid"]
    codes = [
        (coding, qualification.get("code", {}).get("text"))
        for qualification in dicts(doctor.get("qualification"))
        if isinstance(qualification.get("code"), dict)
        for coding in dicts(qualification["code"].get("coding"))
    ]
    for coding, _ in codes:
        if coding.get("system") == f"urn:oid:{oid}":
            return f"{escape(str(coding.get('code')))}^{escape(str(coding.get('display')))}^{oid}"
    for coding, text in codes:
        if coding.get("system") == facts()["professions"]:
            words = coding.get("display") or text or coding.get("code")
            return f"G15_{escape(str(coding.get('code')))}^{escape(str(words))}^{oid}"
    return ""


def patient_id(reader: Reader, where: str = "subject") -> tuple[str, str]:
    """Matricule and OID of the INS that a resource is about: the logical reference, else the contained patient."""
    subject = reader.need(where)
    candidates: list[Json] = []
    if isinstance(subject, dict):
        if isinstance(subject.get("identifier"), dict):
            candidates.append(subject["identifier"])
        if str(subject.get("reference", "")).startswith("#"):
            candidates += dicts(reader.contained(subject, where, "Patient").get("identifier"))
    found = {(str(one.get("value", "")), str(one.get("system", ""))) for one in candidates if _is_ins(one)}
    if len(found) > 1:
        reader.fault("invalid", where, "deux INS différents pour le même patient")
    if len(found) != 1:
        if not found and subject is not None:
            reader.fault("required", where, "INS du patient attendu (subject.identifier ou ressource contenue)")
        return "", ""
    value, system = found.pop()
    return value, system.removeprefix("urn:oid:")


def _is_ins(identifier: Json) -> bool:
    return str(identifier.get("system", "")).removeprefix("urn:oid:") in dmp_facts()["ins_oids"]


def source_patient(patient: Json) -> tuple[str, tuple[str, ...]]:
    """sourcePatientId and sourcePatientInfo of a contained Patient."""
    local = [one for one in dicts(patient.get("identifier")) if not _is_ins(one)]
    chosen = next(iter(local or dicts(patient.get("identifier"))), {})
    kind = "PI" if local else "NH"
    oid = str(chosen.get("system", "")).removeprefix("urn:oid:")
    identifier = f"{escape(str(chosen.get('value', '')))}^^^&{oid}&ISO^{kind}" if chosen else ""
    return identifier, tuple(_info(patient))


def _info(patient: Json) -> list[str]:
    found = []
    for name in dicts(patient.get("name")):
        kind = {"official": "L", "usual": "D"}.get(str(name.get("use")))
        if kind is not None:
            given = escape(str(first(name.get("given")) or ""))
            found.append(f"PID-5|{escape(str(name.get('family', '')))}^{given}^^^^^{kind}")
    if isinstance(patient.get("birthDate"), str):
        found.append(f"PID-7|{patient['birthDate'].replace('-', '')}")
    gender = facts()["genders"].get(str(patient.get("gender")))
    if gender:
        found.append(f"PID-8|{gender}")
    return found
