"""ITI-65 and ITI-105: a submission by the FHIR door, checked by the registry's own rules and stored like any other."""

from __future__ import annotations

from base64 import b64decode
from binascii import Error as Base64Error
from collections.abc import Sequence
from dataclasses import dataclass

from gateway.clock import Clock, Randomness
from gateway.sandbox import ebrim
from gateway.sandbox.cda import CdaHeader
from gateway.sandbox.dmp.fhir import people, registry
from gateway.sandbox.dmp.fhir.caller import Caller
from gateway.sandbox.dmp.fhir.elements import Reader, dicts, uri_value
from gateway.sandbox.dmp.fhir.issues import Issue, RefusedError, of_problems, refuse
from gateway.sandbox.dmp.fhir.patch import supersedes
from gateway.sandbox.dmp.fhir.values import Json, facts, profile
from gateway.sandbox.dmp.package import Package, sha1
from gateway.sandbox.dmp.patients import check_patient
from gateway.sandbox.dmp.rules import author_of, check_objects, patient_of, structure_of_author
from gateway.sandbox.dmp.store import DmpStore
from gateway.sandbox.dmp.submit import check_content, keep
from gateway.sandbox.dmp.versions import check_unique, check_versions
from gateway.sandbox.ebrim import Code
from gateway.sandbox.metadata import check_entry, check_set
from gateway.sandbox.xml import Element

_DMP = "1.2.250.1.213.4.1.1.1"
"""Sender of the set that the server makes of a simplified publication: itself."""


@dataclass(frozen=True, slots=True)
class _Draft:
    """What a request brings: its set, its documents, their bytes."""

    set_element: Element
    described: Sequence[registry.Described]
    contents: dict[str, bytes]
    issues: Sequence[Issue]


class Feed:
    """Checks everything, then stores it all or nothing."""

    def __init__(self, store: DmpStore, unknown_patient: str, clock: Clock, randomness: Randomness) -> None:
        self._store = store
        self._unknown_patient = unknown_patient
        self._clock = clock
        self._randomness = randomness

    def transaction(self, bundle: Json, caller: Caller, sha256: str) -> tuple[list[str], list[str]]:
        """ITI-65: locations of what was made, in the order of the request; also the identifiers it was about."""
        entries = _entries(bundle)
        draft = self._read_bundle(bundle, entries)
        given = self._accept(draft, caller, sha256)
        return _locations(entries, draft.described, given), [one.unique_id for one in draft.described]

    def simplified(self, resource: Json, caller: Caller, sha256: str) -> str:
        """ITI-105: the entryUUID that the document got."""
        described = registry.document(resource, "document-0")
        _check_simplified(described)
        content = registry.content_of(described, described.attachment.get("data"))
        author = people.person(described.reader, next(dicts(resource.get("author")), {}), "author[0]")
        patient, oid = described.patient
        values = registry.SetValues(
            "set-0",
            f"2.25.{self._randomness.uuid().int}",
            _DMP,
            self._clock.now().strftime("%Y%m%d%H%M%S"),
            f"{patient}^^^&{oid}&ISO^NH" if patient else "",
            author,
            Code("07", "1.2.250.1.213.2.2", "Consultations soins externes"),
        )
        contents = {described.id: content} if content is not None else {}
        lot = registry.package(values, described.reader.text("content", "attachment", "title", required=False))
        draft = _Draft(lot, [described], contents, described.reader.issues)
        return self._accept(draft, caller, sha256)[described.id]

    # ------------------------------------------------------------------------------------------------ reading

    def _read_bundle(self, bundle: Json, entries: list[Json]) -> _Draft:
        issues = _check_bundle(bundle, entries)
        lists = [entry for entry in entries if _kind(entry) == "List"]
        if len(lists) != 1:
            raise refuse(
                422, "required", "Bundle.entry", f"un lot de soumission (List) attendu, {len(lists)} trouvé(s)"
            )
        reader = Reader(lists[0]["resource"])
        lot = registry.submission_set(reader, "set-0")
        _check_list(reader)
        described = [
            registry.document(entry["resource"], f"document-{number}")
            for number, entry in enumerate(one for one in entries if _kind(one) == "DocumentReference")
        ]
        if not described:
            issues.append(Issue("required", "Bundle.entry", "au moins un DocumentReference attendu"))
        contents = _contents(entries, described, issues)
        _check_members(reader, entries, issues)
        _check_patches(entries, described, issues)
        for one in described:
            _check_comprehensive(one)
        found = [*issues, *reader.issues, *(issue for one in described for issue in one.reader.issues)]
        return _Draft(lot, described, contents, found)

    # ------------------------------------------------------------------------------------------------ accepting

    def _accept(self, draft: _Draft, caller: Caller, sha256: str) -> dict[str, str]:
        """The entryUUIDs by the entries' own names. Raises RefusedError."""
        with self._store.transaction():
            held = self._replaced(draft)
            request = registry.request(draft.set_element, [one.element for one in draft.described], held)
            submission = ebrim.read_submission(request)
            package = Package(submission, draft.contents, ())
            try:
                headers = self._check(draft, package, caller)
            except RefusedError as refused:
                problem = refused
            else:
                self._store.add_reception(package.set_unique_id, "accepted", (), sha256)
                return self._keep(package, headers)
        self._store.add_reception(package.set_unique_id, "refused", problem.codes, sha256)
        raise problem

    def _replaced(self, draft: _Draft) -> dict[str, str]:
        """The entryUUID of what each document replaces; one that is not held stands for itself and is refused."""
        found: dict[str, str] = {}
        for one in draft.described:
            if one.replaces:
                held = self._store.by_unique_id(one.replaces)
                found[one.id] = held[0].entry_uuid if held else f"urn:uuid:{one.replaces}"
            elif one.replaced_id:
                found[one.id] = f"urn:uuid:{one.replaced_id}"
        return found

    def _check(self, draft: _Draft, package: Package, caller: Caller) -> dict[str, CdaHeader]:
        """The headers of the documents. Shape first: what cannot be read cannot be compared. Raises RefusedError."""
        if draft.issues:
            raise RefusedError(422, draft.issues)
        submission, lot = package.submission, package.submission.set
        assert lot is not None  # made here
        if submission.problems:
            raise of_problems(submission.problems)
        _check_caller(lot, caller)
        problems = [*check_set(lot), *check_objects(submission, lot)]
        headers: dict[str, CdaHeader] = {}
        for entry in submission.entries:
            problems += check_entry(entry)
            problems += check_content(entry, package.contents[entry.id], headers)
        patient = patient_of(lot, ebrim.SET_PATIENT)
        if patient is not None:
            problems += check_patient(self._store, patient, self._unknown_patient)
        problems += [*check_unique(package, self._store), *check_versions(package, headers, self._store)]
        if problems:
            raise of_problems(problems)
        return headers

    def _keep(self, package: Package, headers: dict[str, CdaHeader]) -> dict[str, str]:
        lot = package.submission.set
        assert lot is not None
        naming = keep(self._store, self._randomness, package, headers)
        return {"set": naming[lot.id], **{entry.id: naming[entry.id] for entry in package.submission.entries}}


def _check_caller(lot: ebrim.RegistryObject, caller: Caller) -> None:
    """Who submits is who holds the certificate: the person (direct), or the structure."""
    where = "List.source"
    if caller.direct and author_of(lot) != caller.name_id:
        raise refuse(403, "forbidden", where, "l'auteur du lot n'est pas le porteur du certificat TLS")
    structure = structure_of_author(lot)
    if structure not in ({"", caller.structure} if caller.direct else {caller.structure}):
        raise refuse(403, "forbidden", where, "la structure de l'auteur n'est pas celle du certificat TLS")


# ---------------------------------------------------------------------------------------------------- the shape


def _entries(bundle: Json) -> list[Json]:
    found = list(dicts(bundle.get("entry")))
    if bundle.get("type") != "transaction" or not found:
        raise refuse(422, "invalid", "Bundle.type", "Bundle de type transaction avec des entrées attendu")
    if any(not isinstance(one.get("resource"), dict) for one in found):
        raise refuse(400, "structure", "Bundle.entry.resource", "une ressource par entrée attendue")
    return found


def _kind(entry: Json) -> str:
    return str(entry["resource"].get("resourceType", ""))


_METHODS = {"List": "POST", "DocumentReference": "POST", "Binary": "POST", "Parameters": "PATCH"}


def _check_bundle(bundle: Json, entries: list[Json]) -> list[Issue]:
    issues: list[Issue] = []
    if profile("bundle") not in _profiles(bundle):
        issues.append(Issue("required", "Bundle.meta.profile", f"{profile('bundle')} attendu"))
    urls = [entry.get("fullUrl") for entry in entries]
    if len(set(map(str, urls))) != len(urls) or not all(str(one).startswith("urn:uuid:") for one in urls):
        issues.append(Issue("invalid", "Bundle.entry.fullUrl", "un urn:uuid différent par entrée attendu"))
    for number, entry in enumerate(entries):
        kind, request = _kind(entry), entry.get("request")
        request = request if isinstance(request, dict) else {}
        where = f"Bundle.entry[{number}]"
        if kind not in _METHODS:
            issues.append(Issue("not-supported", f"{where}.resource", f"{kind or 'ressource'} : non acceptée ici"))
        elif request.get("method") != _METHODS[kind]:
            issues.append(Issue("invalid", f"{where}.request.method", f"{_METHODS[kind]} attendu"))
        elif kind != "Parameters" and request.get("url") != kind:
            issues.append(Issue("invalid", f"{where}.request.url", f"« {kind} » attendu"))
    return issues


def _profiles(resource: Json) -> list[object]:
    meta = resource.get("meta")
    listed = meta.get("profile") if isinstance(meta, dict) else None
    return listed if isinstance(listed, list) else []


def _check_list(reader: Reader) -> None:
    system, code = facts()["list_type"]
    kind = reader.resource.get("code")
    coded = list(dicts(kind.get("coding"))) if isinstance(kind, dict) else []
    if not any((one.get("system"), one.get("code")) == (system, code) for one in coded):
        reader.fault("code-invalid", "code", f"{system}#{code} attendu")
    for name, wanted in (("status", "current"), ("mode", "working")):
        if reader.resource.get(name) != wanted:
            reader.fault("value", name, f"« {wanted} » attendu")
    if profile("set") not in _profiles(reader.resource):
        reader.fault("required", "meta.profile", f"{profile('set')} attendu")


def _check_members(reader: Reader, entries: list[Json], issues: list[Issue]) -> None:
    """The set names each document of the Bundle once, and nothing else."""
    named = [str(one["item"].get("reference")) for one in dicts(reader.resource.get("entry")) if "item" in one]
    wanted = [str(one.get("fullUrl")) for one in entries if _kind(one) == "DocumentReference"]
    if sorted(named) != sorted(wanted):
        issues.append(Issue("invalid", "List.entry", "chaque DocumentReference du Bundle, une fois, attendu"))


def _contents(entries: list[Json], described: Sequence[registry.Described], issues: list[Issue]) -> dict[str, bytes]:
    """The bytes that each attachment points to; every Binary serves once."""
    binaries = {str(one.get("fullUrl")): one["resource"] for one in entries if _kind(one) == "Binary"}
    found: dict[str, bytes] = {}
    for one in described:
        url = one.attachment.get("url")
        binary = binaries.pop(str(url), None)
        if binary is None:
            one.reader.fault("not-found", "content.attachment.url", "aucune Binary du Bundle à cette adresse")
            continue
        if binary.get("contentType") != one.attachment.get("contentType"):
            one.reader.fault("invalid", "content.attachment.contentType", "différent de celui de la Binary")
        content = registry.content_of(one, binary.get("data"))
        if content is not None:
            found[one.id] = content
            check_bytes(one, content, required=True)
    if binaries:
        issues.append(Issue("invalid", "Bundle.entry", "Binary qu'aucun DocumentReference ne désigne"))
    return found


def check_bytes(described: registry.Described, content: bytes, *, required: bool) -> None:
    """hash (SHA-1 in base64) and size are those of the bytes."""
    digest, size = described.attachment.get("hash"), described.attachment.get("size")
    reader = described.reader
    for name, value in (("hash", digest), ("size", size)):
        if value is None and required:
            reader.fault("required", f"content.attachment.{name}", "élément obligatoire absent")
    if digest is not None:
        try:
            hexadecimal = b64decode(str(digest), validate=True).hex()
        except Base64Error:
            hexadecimal = ""
        if hexadecimal != sha1(content):
            reader.fault("conflict", "content.attachment.hash", "différent du SHA-1 (base64) du contenu")
    if size is not None and (not isinstance(size, int) or isinstance(size, bool) or size != len(content)):
        reader.fault("conflict", "content.attachment.size", f"{len(content)} octets reçus")


def _check_comprehensive(described: registry.Described) -> None:
    reader = described.reader
    if profile("document") not in _profiles(reader.resource):
        reader.fault("required", "meta.profile", f"{profile('document')} attendu")
    _check_current(reader)


def _check_simplified(described: registry.Described) -> None:
    reader, attachment = described.reader, described.attachment
    if profile("simplified") not in _profiles(reader.resource):
        reader.fault("required", "meta.profile", f"{profile('simplified')} attendu")
    if "url" in attachment:
        reader.fault("structure", "content.attachment.url", "interdit : le contenu est dans data")
    _check_current(reader)
    if isinstance(attachment.get("data"), str):
        try:
            check_bytes(described, b64decode(attachment["data"], validate=True), required=False)
        except Base64Error:
            return  # reported with the content


def _check_current(reader: Reader) -> None:
    if reader.resource.get("status") != "current":
        reader.fault("value", "status", "« current » attendu")
    if reader.extension(facts()["archived"]).get("valueBoolean") not in (None, False):
        reader.fault("business-rule", "extension(isArchived)", "un document déposé n'est pas archivé")
    if len(list(dicts(reader.resource.get("content")))) != 1:
        reader.fault("structure", "content", "un seul contenu attendu")


def _check_patches(entries: list[Json], described: Sequence[registry.Described], issues: list[Issue]) -> None:
    """Every replaced document is made superseded by the same Bundle, and no other one is touched (TD2.1)."""
    wanted = {one.replaces or one.replaced_id for one in described if one.replaces or one.replaced_id}
    patched: set[str] = set()
    for entry in entries:
        if _kind(entry) != "Parameters":
            continue
        url = str((entry.get("request") or {}).get("url", ""))
        query = url.partition("?identifier=")[2]
        system, _, value = query.partition("|")
        named = uri_value({"system": system, "value": value}, "urn:oid:") if query else url.rpartition("/")[2]
        if not supersedes(entry["resource"]):
            issues.append(Issue("invalid", "Parameters", "seul status → superseded est accepté dans un lot"))
        patched.add(named)
    if patched != wanted:
        issues.append(Issue("required", "Bundle.entry", "PATCH du document remplacé (et de lui seul) attendu"))


def _locations(entries: list[Json], described: Sequence[registry.Described], given: dict[str, str]) -> list[str]:
    """Where each entry of the request is now; empty for what was changed and not made."""
    by_content = {str(one.attachment.get("url")): given[one.id] for one in described}
    documents = iter([given[one.id] for one in described])
    found = []
    for entry in entries:
        kind, uuid = _kind(entry), ""
        if kind == "List":
            uuid = given["set"]
        elif kind == "DocumentReference":
            uuid = next(documents)
        elif kind == "Binary":
            uuid = by_content[str(entry.get("fullUrl"))]
        found.append(f"{kind}/{uuid.removeprefix('urn:uuid:')}" if uuid else "")
    return found
