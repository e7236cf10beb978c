"""ITI-67, ITI-66, ITI-68 and the patient: what may be found and read, by the rights of who asks (spec dmp §1.5, §4)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta

from gateway.sandbox import ebrim
from gateway.sandbox.dmp.entries import read_back
from gateway.sandbox.dmp.fhir import resources
from gateway.sandbox.dmp.fhir.caller import Caller
from gateway.sandbox.dmp.fhir.issues import of_problems, refuse
from gateway.sandbox.dmp.fhir.values import Json, facts, oid_of
from gateway.sandbox.dmp.patients import check_patient
from gateway.sandbox.dmp.records import ARCHIVED, DELETED, VALID, DmpDocument
from gateway.sandbox.dmp.rights import check_retrieve, owns, sees
from gateway.sandbox.dmp.store import DmpStore
from gateway.sandbox.hl7 import Cx, is_matricule
from gateway.sandbox.problems import TOO_MANY_RESULTS
from gateway.sandbox.values import facts as dmp_facts

Parameters = Mapping[str, Sequence[str]]
_CODES = {
    "type": ebrim.TYPE_CODE,
    "category": ebrim.CLASS_CODE,
    "format": ebrim.FORMAT_CODE,
    "facility": ebrim.FACILITY,
    "setting": ebrim.PRACTICE,
    "security-label": ebrim.CONFIDENTIALITY,
}
_TIMES = {"date": "creationTime", "creation": "creationTime"}
_OF_DOCUMENTS = {"patient.identifier", "identifier", "status", "isArchived", "period", *_CODES, *_TIMES}
_OF_SETS = {"patient.identifier", "status", "code", "identifier"}
_STATUSES = {"current", "superseded", "entered-in-error"}


class Search:
    """Questions to one store."""

    def __init__(self, store: DmpStore, unknown_patient: str, most: int) -> None:
        self._store = store
        self._unknown_patient = unknown_patient
        self._most = most

    # ---------------------------------------------------------------------------------------------- documents

    def documents(self, asked: Parameters, caller: Caller, base: str) -> tuple[Json, list[str]]:
        """ITI-67: a searchset of DocumentReference, and the identifiers that were asked for. Raises RefusedError."""
        _known(asked, _OF_DOCUMENTS)
        patient = self._patient(asked)
        if "status" not in asked and "identifier" not in asked:
            raise refuse(422, "required", "status", "paramètre status obligatoire (MHD ITI-67)")
        unknown = set(_values(asked, "status")) - _STATUSES
        if unknown:
            raise refuse(422, "code-invalid", "status", f"statut « {min(unknown)} » inconnu")
        held = self._store.documents(patient.id)
        tests = [_test(name, values) for name, values in asked.items() if name != "patient.identifier"]
        found = [
            one for one in held if one.oid == patient.oid and sees(one, caller) and all(test(one) for test in tests)
        ]
        if 0 < self._most < len(found):
            message = f"{TOO_MANY_RESULTS} : {len(found)} résultats, {self._most} au plus"
            raise refuse(403, "too-costly", "", message)
        listed = [resources.document(self._store, one, base, whole=caller.direct) for one in found]
        return searchset(listed, base), [value.rpartition("|")[2] for value in _values(asked, "identifier")]

    def read(self, identifier: str, caller: Caller, base: str) -> Json:
        """One DocumentReference by its id."""
        held = self._store.by_entry_uuid(f"urn:uuid:{identifier}")
        if held is None or held.is_signature or not sees(held, caller):
            raise refuse(404, "not-found", "", "DocumentReference inconnu")
        return resources.document(self._store, held, base, whole=caller.direct)

    def content(self, identifier: str, caller: Caller) -> DmpDocument:
        """ITI-68: the document behind a Binary, direct authentication only. Raises RefusedError."""
        problems = check_retrieve(caller)
        if problems:
            raise of_problems(problems)
        versions = self._store.versions(f"urn:uuid:{identifier}")
        held = versions[-1] if versions else None
        if held is None or held.is_signature or held.status == DELETED or not sees(held, caller):
            raise refuse(404, "not-found", "", "Binary inconnue")
        return held

    def sets(self, asked: Parameters, caller: Caller, base: str) -> Json:
        """ITI-66: the submission sets of a patient that the caller made, or whose documents he may find."""
        _known(asked, _OF_SETS)
        patient = self._patient(asked)
        if "status" not in asked:
            raise refuse(422, "required", "status", "paramètre status obligatoire (MHD ITI-66)")
        documents = [one for one in self._store.documents(patient.id) if sees(one, caller)]
        found = []
        for one in self._store.submissions(patient.id):
            members = [document for document in documents if document.set_unique_id == one.unique_id]
            if one.oid == patient.oid and (members or owns(one, caller)) and one.kind == "feed":
                found.append(resources.submission(one, members))
        wanted = {value.rpartition("|")[2] for value in _values(asked, "identifier")}
        if wanted:
            found = [one for one in found if wanted & {name["value"] for name in one["identifier"]}]
        return searchset(found if "current" in _values(asked, "status") else [], base)

    # ------------------------------------------------------------------------------------------------ patients

    def patients(self, asked: Parameters, base: str) -> Json:
        """Existence of a DMP (draft, TD02): 0 entry none, `active` false closed. No trait is given back (RG_0320)."""
        _known(asked, {"identifier"})
        patient = _ins(asked, "identifier")
        known = self._store.patient(patient.id, patient.oid)
        absent = known.status == "absent" if known is not None else self._unknown_patient == "absent"
        if absent:
            return searchset([], base)
        if known is not None and known.authorisation != VALID:
            raise refuse(403, "forbidden", "", "opposition du patient : autorisation non valide")
        active = known is None or known.status == "active"
        identifier = {"use": "official", "system": f"urn:oid:{patient.oid}", "value": patient.id}
        return searchset([{"resourceType": "Patient", "identifier": [identifier], "active": active}], base)

    def _patient(self, asked: Parameters) -> Cx:
        patient = _ins(asked, "patient.identifier")
        problems = check_patient(self._store, patient, self._unknown_patient)
        if problems:
            raise of_problems(problems)
        return patient


def searchset(found: Sequence[Json], base: str) -> Json:
    """A Bundle of what was found."""
    entries = [
        {
            **({"fullUrl": f"{base}/{one['resourceType']}/{one['id']}"} if "id" in one else {}),
            "resource": one,
            "search": {"mode": "match"},
        }
        for one in found
    ]
    return {"resourceType": "Bundle", "type": "searchset", "total": len(found), **({"entry": entries} if found else {})}


def _known(asked: Parameters, known: set[str]) -> None:
    unknown = sorted(set(asked) - known - {"_format"})
    if unknown:
        raise refuse(400, "not-supported", unknown[0], f"paramètre « {unknown[0]} » inconnu de ce service")


def _ins(asked: Parameters, name: str) -> Cx:
    values = asked.get(name, ())
    if len(values) != 1:
        raise refuse(422, "required", name, f"un paramètre {name}=système|INS attendu")
    system, _, value = values[0].rpartition("|")
    oid = system.removeprefix("urn:oid:")
    if oid not in dmp_facts()["ins_oids"] or not is_matricule(value):
        raise refuse(422, "value", name, "INS attendue : urn:oid:1.2.250.1.213.1.4.(8 à 11)|matricule")
    return Cx(value, oid, "NH")


def _values(asked: Parameters, name: str) -> list[str]:
    """Every value of a parameter: commas mean or (FHIR R4, search §3.1.1.4.4)."""
    return [one for value in asked.get(name, ()) for one in value.split(",")]


def _test(name: str, values: Sequence[str]) -> Callable[[DmpDocument], bool]:
    """What a parameter asks of a document; a repeated one means and, a comma or."""
    tests = [_one_test(name, value.split(",")) for value in values]
    return lambda one: all(test(one) for test in tests)


def _one_test(name: str, values: Sequence[str]) -> Callable[[DmpDocument], bool]:
    if name == "identifier":
        wanted = {value.removeprefix(f"{facts()['uri']}|") for value in values}
        return lambda one: bool({f"urn:oid:{one.unique_id}", one.entry_uuid, one.logical_id} & wanted)
    if name == "status":
        return lambda one: resources.STATUS[one.status] in values
    if name == "isArchived":
        return lambda one: str(one.status == ARCHIVED).lower() in values
    if name in _CODES:
        return lambda one: any(_has(one, _CODES[name], value) for value in values)
    if name in _TIMES:
        return lambda one: any(_in_time(one.creation_time, value) for value in values)
    return lambda one: any(_in_period(one, value) for value in values)


def _has(one: DmpDocument, scheme: str, token: str) -> bool:
    system, bar, code = token.rpartition("|")
    found = read_back(one).codes.get(scheme, [])
    return any(item.code == code and (not bar or item.scheme == oid_of(system)) for item in found)


def _in_time(digits: str, asked: str) -> bool:
    """Whether a time answers a date parameter: eq (a whole day or second), ge, gt, le, lt."""
    prefix, low, high = _bounds(asked)
    return {
        "eq": low <= digits < high,
        "ge": digits >= low,
        "gt": digits >= high,
        "le": digits < high,
        "lt": digits < low,
    }[prefix]


def _in_period(one: DmpDocument, asked: str) -> bool:
    entry = read_back(one)
    prefix, low, high = _bounds(asked)
    start = entry.slot("serviceStartTime").ljust(14, "0")
    stop = (entry.slot("serviceStopTime") or start).ljust(14, "9")
    later, sooner = stop >= low, start < high
    return {"eq": later and sooner, "ge": later, "gt": stop >= high, "le": sooner, "lt": start < low}[prefix]


def _bounds(asked: str) -> tuple[str, str, str]:
    prefix, value = (asked[:2], asked[2:]) if asked[:2] in {"eq", "ge", "gt", "le", "lt"} else ("eq", asked)
    try:
        moment = datetime.fromisoformat(value.replace(" ", "+"))
    except ValueError as fault:
        raise refuse(422, "value", "date", "date de FHIR attendue, avec décalage si elle a une heure") from fault
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    low = moment.astimezone(UTC)
    high = low + (timedelta(days=1) if len(value) == 10 else timedelta(seconds=1))
    return prefix, f"{low:%Y%m%d%H%M%S}", f"{high:%Y%m%d%H%M%S}"
