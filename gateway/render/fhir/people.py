"""People and places: patient, professionals with their roles, practice, encounter."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.render.fhir import marks
from gateway.render.fhir.assembly import person_key, role_path, without_none
from gateway.render.fhir.datatypes import address, identifier, instant, person_name, telecoms

if TYPE_CHECKING:
    from gateway.document.model import Code, PatientIdentity, Professional, StructureRef
    from gateway.render.fhir.assembly import Assembly, Json

_LOCAL_NUMBER = {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/v2-0203", "code": "PI"}]}
_RPPS = "https://rpps.esante.gouv.fr"


def add_patient(assembly: Assembly) -> None:
    """Add the Patient: fr-core-patient-ins when the INS leaves with the document, fr-core-patient otherwise."""
    patient = assembly.header.patient
    profile = "fr-core-patient-ins" if patient.ins else "fr-core-patient"
    doctor = assembly.header.medecin_traitant
    assembly.add(
        "patient",
        without_none(
            resourceType="Patient",
            meta={**assembly.data.profile(profile), **_identity_tags(assembly, patient)},
            extension=[_reliability(assembly, patient), *_birth_place(assembly, patient)],
            identifier=_patient_identifiers(assembly, patient),
            name=_patient_names(assembly, patient),
            telecom=telecoms(patient.telecoms, assembly.data),
            gender=assembly.data.gender.get(patient.sex.code, "unknown"),
            birthDate=patient.birth_date.isoformat(),
            address=address(patient.address),
            generalPractitioner=[_general_practitioner(assembly, doctor)] if doctor else [],
        ),
    )


def _general_practitioner(assembly: Assembly, doctor: Professional) -> Json:
    """The médecin traitant, with the role when it says where he practises."""
    return role(assembly, doctor) if doctor.structure else practitioner(assembly, doctor)


def _identity_tags(assembly: Assembly, patient: PatientIdentity) -> Json:
    codes = assembly.release.with_ins if patient.ins else assembly.release.without_ins
    tags = marks.identity_tags(assembly, patient, codes)
    return {"tag": tags} if tags else {}


def _reliability(assembly: Assembly, patient: PatientIdentity) -> Json:
    codes = assembly.release.with_ins if patient.ins else assembly.release.without_ins
    # An unknown state is shown as the weakest one rather than dropped.
    status = codes.get(patient.identity_status, assembly.release.without_ins["PROV"])
    coding = {"system": assembly.release.status_system, "code": status}
    return {
        "url": assembly.data.fr_core + "fr-core-identity-reliability",
        "extension": [{"url": "identityStatus", "valueCoding": coding}],
    }


def _birth_place(assembly: Assembly, patient: PatientIdentity) -> list[Json]:
    code = {"system": assembly.data.birth_place_codes, "code": patient.birth_place_cog}
    insee = {"url": assembly.data.fr_core + "fr-core-address-insee-code", "valueCoding": code}
    place = without_none(extension=[insee] if patient.birth_place_cog else [], city=patient.birth_place_name)
    return [{"url": assembly.data.extensions["birth_place"], "valueAddress": place}] if place else []


def _patient_identifiers(assembly: Assembly, patient: PatientIdentity) -> list[Json]:
    found = []
    if patient.ins:
        kind = assembly.data.ins_types.get(patient.ins.root, "INS-NIR")
        use = assembly.release.nia_use if kind == "INS-NIA" else "official"
        system = f"urn:oid:{patient.ins.root}"
        found.append(identifier(kind, system, patient.ins.extension, assembly.data, use))
    for local in patient.local_ids:
        number = {"system": f"urn:oid:{local.root}", "value": local.extension}
        found += [{"use": "usual", "type": _LOCAL_NUMBER, **number}]
    return found


def _patient_names(assembly: Assembly, patient: PatientIdentity) -> list[Json]:
    listed = {
        "url": assembly.data.fr_core + "fr-core-patient-birth-list-given-name",
        "valueString": " ".join(patient.birth_given or (patient.first_given,)),
    }
    names: list[Json] = [
        {"extension": [listed], "use": "official", "family": patient.birth_family, "given": [patient.first_given]}
    ]
    if patient.used_family or patient.used_given:
        given = patient.used_given or patient.first_given
        names.append({"use": "usual", "family": patient.used_family or patient.birth_family, "given": [given]})
    return names


def practitioner(assembly: Assembly, person: Professional, *, civil: bool = False) -> Json:
    """Add the Practitioner (fr-core-practitioner) once, and return the reference. `civil`: not the armed forces."""
    return assembly.add_variant(
        f"practitioner/{person_key(person)}",
        without_none(
            resourceType="Practitioner",
            meta=assembly.data.profile("fr-core-practitioner"),
            identifier=_practitioner_identifiers(assembly, person),
            name=[person_name(person.name)],
            telecom=telecoms(person.telecoms, assembly.data),
            address=address(person.address),
            qualification=_qualification(assembly, person, civil=civil),
        ),
    )


def _practitioner_identifiers(assembly: Assembly, person: Professional) -> list[Json]:
    found = []
    if person.id.extension:
        found.append(identifier("IDNPS", f"urn:oid:{person.id.root}", person.id.extension, assembly.data))
    if person.rpps:
        found.append(identifier("RPPS", _RPPS, person.rpps, assembly.data))
    return found


def _qualification(assembly: Assembly, person: Professional, *, civil: bool) -> list[Json]:
    """Shape of the exercicePro slice: category C (civil) and the profession of TRE_G15."""
    more = marks.more_qualifications(assembly, person.profession, person.specialty)
    if person.profession is None:
        return more
    # JDV_J01 writes G15_70 or G15_10/SM26 where TRE_G15 writes 70 or 10.
    head, _, number = person.profession.code.split("/")[0].partition("_")
    if head != "G15" or not number:
        return [{"code": assembly.codeable(person.profession)}, *more]
    codes = [{"system": assembly.data.professions, "code": number}]
    if civil:
        codes.insert(0, {"system": assembly.data.category_profession, "code": "C"})
    return [{"code": {"coding": codes, "text": person.specialty or person.profession.display}}, *more]


def role(assembly: Assembly, person: Professional, *, civil: bool = False) -> Json:
    """Add the PractitionerRole, its Practitioner and its Organization, and return the reference to the role."""
    someone = practitioner(assembly, person, civil=civil)
    place = organization(assembly, person.structure) if person.structure else None
    return assembly.add_variant(
        role_path(person),
        without_none(
            resourceType="PractitionerRole",
            meta=assembly.data.profile("fr-core-practitioner-role"),
            practitioner=someone,
            organization=place,
        ),
    )


def organization(assembly: Assembly, structure: StructureRef, facility: Code | None = None) -> Json:
    """Add the Organization (fr-core-organization) once, and return the reference."""
    return assembly.add_variant(
        f"organization/{structure.id.root}/{structure.id.extension}",
        without_none(
            resourceType="Organization",
            meta=assembly.data.profile("fr-core-organization"),
            identifier=_structure_identifiers(assembly, structure),
            type=[assembly.codeable(facility)] if facility else [],
            name=structure.name,
            telecom=telecoms(structure.telecoms, assembly.data),
            address=address(structure.address),
        ),
        but="type",
    )


def _structure_identifiers(assembly: Assembly, structure: StructureRef) -> list[Json]:
    number = structure.id.extension
    if not number:
        return []
    found = [identifier("IDNST", f"urn:oid:{structure.id.root}", number, assembly.data, "official")]
    national = assembly.data.structure_types.get(number[0])
    if national and structure.id.root == "1.2.250.1.71.4.2.2":
        found.append(identifier(national["type"], national["system"], number[1:], assembly.data))
    return found


def add_encounter(assembly: Assembly) -> None:
    """Add the Encounter (fr-core-encounter) and its Location: the care that the document is about."""
    header = assembly.header
    provider = organization(assembly, header.custodian, header.facility_type)
    assembly.add(
        "encounter",
        without_none(
            resourceType="Encounter",
            meta=assembly.data.profile("fr-core-encounter"),
            identifier=[_visit_number(assembly), *marks.author_number(assembly)],
            status="finished",
            **_encounter_kind(assembly),
            episodeOfCare=_episode(assembly, provider),
            serviceType=assembly.codeable(header.practice_setting),
            subject=assembly.reference("patient"),
            participant=[{"individual": role(assembly, header.author, civil=True)}],
            period=service_period(assembly),
            location=[{"location": _location(assembly, provider)}],
            serviceProvider=provider,
        ),
    )


def _encounter_kind(assembly: Assembly) -> Json:
    known, table = assembly.header.encounter, assembly.data.encounter
    if known.system == table["classes"]:
        return {"class": assembly.coding(known)}
    return {"class": {"system": table["system"], "code": table["code"]}, "type": [assembly.codeable(known)]}


def _episode(assembly: Assembly, provider: Json) -> list[Json]:
    """The EpisodeOfCare, as a list of none or one. Its number is the practice's own."""
    header, known = assembly.header, assembly.header.episode
    if known is None:
        return []
    end = header.service_stop if known.closed else None
    added = assembly.add(
        "episode",
        without_none(
            resourceType="EpisodeOfCare",
            identifier=[{"value": known.id, "assigner": provider}],
            status="finished" if known.closed else "active",
            patient=assembly.reference("patient"),
            managingOrganization=provider,
            period=without_none(start=known.start.isoformat(), end=end.date().isoformat() if end else None),
            careManager=assembly.reference(assembly.author_path),
        ),
    )
    return [added]


def service_period(assembly: Assembly) -> Json:
    """Period of the care described."""
    header = assembly.header
    stop = header.service_stop
    return without_none(start=instant(header.service_start), end=instant(stop) if stop else None)


def _visit_number(assembly: Assembly) -> Json:
    kind = {"coding": [{"system": assembly.data.encounter_identifier_types, "code": "VN"}]}
    return {"type": kind, "system": "urn:ietf:rfc:3986", "value": assembly.url("encounter")}


def _location(assembly: Assembly, provider: Json) -> Json:
    structure = assembly.header.custodian
    return assembly.add(
        "location",
        without_none(
            resourceType="Location",
            status="active",
            name=structure.name,
            type=[assembly.codeable(assembly.header.facility_type)],
            address=next(iter(address(structure.address)), None),
            managingOrganization=provider,
        ),
    )
