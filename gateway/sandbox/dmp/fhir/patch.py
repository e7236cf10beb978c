"""Flux 03 of PDSm: a conditional PATCH of status, securityLabel and isArchived; of anything else 405.

JSON Patch, or FHIRPath Patch of the same three (a Parameters resource). What the change means is worked out by
comparing the resource before and after, then held to the registry's own rules and rights.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from lxml import etree

from gateway.clock import Randomness
from gateway.sandbox import ebrim
from gateway.sandbox.dmp.entries import read_back
from gateway.sandbox.dmp.fhir import jsonpatch
from gateway.sandbox.dmp.fhir.caller import Caller
from gateway.sandbox.dmp.fhir.elements import Reader, dicts
from gateway.sandbox.dmp.fhir.issues import RefusedError, of_problems, refuse
from gateway.sandbox.dmp.fhir.registry import classification
from gateway.sandbox.dmp.fhir.resources import document as written
from gateway.sandbox.dmp.fhir.values import Json, facts
from gateway.sandbox.dmp.patients import check_patient
from gateway.sandbox.dmp.records import APPROVED, ARCHIVED, DELETED, DEPRECATED, DmpDocument
from gateway.sandbox.dmp.rights import check_status_change, check_visibility_change
from gateway.sandbox.dmp.store import DmpStore
from gateway.sandbox.dmp.unmodified import visibility
from gateway.sandbox.dmp.update import MAY_BECOME, is_replaced
from gateway.sandbox.ebrim import RIM, Code
from gateway.sandbox.hl7 import Cx
from gateway.sandbox.metadata import check_entry
from gateway.sandbox.problems import UPDATE, Problem
from gateway.sandbox.values import facts as dmp_facts

_STATUS = {"current": APPROVED, "superseded": DEPRECATED, "entered-in-error": DELETED}
_MAY_CHANGE = {"status", "securityLabel", "extension"}


@dataclass(frozen=True, slots=True)
class _Wanted:
    """What the document should become."""

    status: str
    labels: tuple[Code, ...]


class Patch:
    """Changes one document, found by its business identifier."""

    def __init__(self, store: DmpStore, unknown_patient: str, randomness: Randomness) -> None:
        self._store = store
        self._unknown_patient = unknown_patient
        self._randomness = randomness

    def change(self, held: DmpDocument, body: Any, *, fhirpath: bool, caller: Caller, base: str) -> Json:
        """The resource as it is afterwards. Raises RefusedError."""
        before = written(self._store, held, base, whole=True)
        operations = _of_parameters(body, before) if fhirpath else body
        after = jsonpatch.apply(before, operations)
        _only_allowed(before, after)
        wanted = _read(after)
        with self._store.transaction():
            latest = self._store.by_unique_id(held.unique_id)[0]
            problems = self._check(latest, wanted, caller)
            if not problems:
                self._apply(latest, wanted)
        if problems:
            raise of_problems(problems)
        return written(self._store, self._store.by_unique_id(held.unique_id)[0], base, whole=caller.direct)

    def _check(self, held: DmpDocument, wanted: _Wanted, caller: Caller) -> list[Problem]:
        problems = check_patient(self._store, Cx(held.matricule, held.oid, "NH"), self._unknown_patient)
        where = f"DocumentReference/{held.unique_id}"
        if wanted.status != held.status:
            problems += self._check_status(held, wanted.status, caller, where)
        old, new = visibility(held.confidentiality), visibility(tuple(code.code for code in wanted.labels))
        if old != new:
            if held.status not in {APPROVED, ARCHIVED}:
                problems.append(Problem(UPDATE, where, f"document {held.status} : sa visibilité ne change plus"))
            problems += check_visibility_change(held, new - old, old - new, caller)
            problems += _allowed_together(self._relabelled(held, wanted, "urn:uuid:check"))
        return problems

    def _check_status(self, held: DmpDocument, status: str, caller: Caller, where: str) -> list[Problem]:
        if status not in MAY_BECOME[held.status]:
            return [Problem(UPDATE, where, f"{held.status} ne peut pas devenir {status}")]
        if status == APPROVED and is_replaced(self._store, held):
            return [Problem(UPDATE, where, "document remplacé : sa dernière version est celle qui vaut")]
        return check_status_change(held, status, caller)

    def _apply(self, held: DmpDocument, wanted: _Wanted) -> None:
        if wanted.status != held.status:
            self._store.set_status(held.entry_uuid, wanted.status)
        old, new = visibility(held.confidentiality), visibility(tuple(code.code for code in wanted.labels))
        if old != new:
            uuid = f"urn:uuid:{self._randomness.uuid()}"
            entry = self._relabelled(held, wanted, uuid)
            codes = tuple(code.code for code in entry.codes[ebrim.CONFIDENTIALITY])
            metadata = etree.tostring(entry.element, encoding="unicode", with_tail=False)
            self._store.add_version(held, uuid, codes, metadata)

    def _relabelled(self, held: DmpDocument, wanted: _Wanted, uuid: str) -> ebrim.RegistryObject:
        """The entry with other visibility codes; its base confidentiality (N, R, V) is the CDA's and stays."""
        element = read_back(held).element
        owner = element.get("id", "")
        masks = set(dmp_facts()["mask_codes"])
        path = f"{{{RIM}}}Classification[@classificationScheme='{ebrim.CONFIDENTIALITY}']"
        for old in element.findall(path):
            if old.get("nodeRepresentation") in masks:
                element.remove(old)
        place = element.find(f"{{{RIM}}}ExternalIdentifier")
        for number, code in enumerate(one for one in wanted.labels if one.code in masks):
            added = classification(element, owner, ebrim.CONFIDENTIALITY, 10 + number, code)
            added.set("id", f"{uuid}-{code.code}")
            if place is not None:
                place.addprevious(added)
        return ebrim.read_entry(element)


def _allowed_together(entry: ebrim.RegistryObject) -> list[Problem]:
    return [one for one in check_entry(entry) if one.location.endswith("/confidentialityCode")]


def supersedes(parameters: Json) -> bool:
    """Whether a FHIRPath Patch makes a document superseded, and does nothing else."""
    try:
        return _operations(parameters) == [("replace", "DocumentReference.status", "superseded")]
    except RefusedError:
        return False


def _operations(parameters: Any) -> list[tuple[str, str, Any]]:
    if not isinstance(parameters, dict) or parameters.get("resourceType") != "Parameters":
        raise refuse(400, "structure", "", "Parameters (FHIRPath Patch) attendu")
    found = []
    for operation in dicts(parameters.get("parameter")):
        parts = {one.get("name"): one for one in dicts(operation.get("part"))}
        value = parts.get("value", {})
        given = [value[name] for name in value if name.startswith("value")]
        kind, path = (str(parts.get(name, {}).get(key, "")) for name, key in _PARTS)
        if operation.get("name") != "operation" or not kind or not path:
            raise refuse(400, "structure", "Parameters.parameter", "operation avec type et path attendue")
        found.append((kind, path, given[0] if given else None))
    return found


_PARTS = (("type", "valueCode"), ("path", "valueString"))


def _of_parameters(parameters: Any, resource: Json) -> list[Json]:
    """The same operations as JSON Patch: the three elements that may change, and no other path."""
    extension = f"DocumentReference.extension.where(url='{facts()['archived']}').value"
    found: list[Json] = []
    for kind, path, value in _operations(parameters):
        if (kind, path) == ("replace", "DocumentReference.status"):
            found.append({"op": "replace", "path": "/status", "value": value})
        elif (kind, path) == ("replace", "DocumentReference.securityLabel"):
            found.append({"op": "replace", "path": "/securityLabel", "value": [value]})
        elif (kind, path) == ("replace", extension):
            urls = [one.get("url") for one in dicts(resource.get("extension"))]
            place = urls.index(facts()["archived"])
            found.append({"op": "replace", "path": f"/extension/{place}/valueBoolean", "value": value})
        else:
            raise refuse(405, "not-supported", path, "seuls status, securityLabel et isArchived se modifient ainsi")
    return found


def _only_allowed(before: Json, after: Any) -> None:
    """405 where anything else than the three elements differs (PDSm, flux 04)."""
    same = isinstance(after, dict) and after.get("resourceType") == before["resourceType"]
    names = {name for name in before.keys() | after.keys() if before.get(name) != after.get(name)} if same else {"."}
    others = _but_archived(before) != _but_archived(after) if same else True
    if not same or names - _MAY_CHANGE or others:
        what = ", ".join(sorted(names - _MAY_CHANGE)) or "extension"
        raise refuse(405, "not-supported", what, "seuls status, securityLabel et isArchived se modifient ainsi")


def _but_archived(resource: Json) -> list[Json]:
    return [one for one in dicts(resource.get("extension")) if one.get("url") != facts()["archived"]]


def _read(after: Json) -> _Wanted:
    reader = Reader(after)
    status = after.get("status")
    marks = [one.get("valueBoolean") for one in dicts(after.get("extension")) if one.get("url") == facts()["archived"]]
    if status not in _STATUS:
        reader.fault("code-invalid", "status", "current, superseded ou entered-in-error attendu")
    if len(marks) > 1 or any(not isinstance(one, bool) for one in marks):
        reader.fault("value", "extension(isArchived)", "une extension booléenne au plus attendue")
    labels = after.get("securityLabel")
    if not isinstance(labels, list) or not labels:
        reader.fault("required", "securityLabel", "au moins un niveau de confidentialité attendu")
    codes = [reader.coding(one, "securityLabel") for one in dicts(labels)]
    if reader.issues:
        raise RefusedError(422, reader.issues)
    named = _STATUS[str(status)]
    archived = bool(marks) and marks[0] is True
    return _Wanted(ARCHIVED if named == APPROVED and archived else named, tuple(one for one in codes if one))
