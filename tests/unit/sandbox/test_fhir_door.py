"""The sandbox's FHIR door: every defect refused with its status and code, nothing stored; searches, patches, rights."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import pytest
from cryptography import x509

from gateway.clock import SeededRandomness, SystemClock
from gateway.package.feed import feed_package
from gateway.sandbox.dmp.fhir.service import FhirService
from gateway.sandbox.dmp.service import DmpOptions, HttpAnswer, HttpRequest
from gateway.sandbox.service import Sandbox
from tests.unit.fixture_cases import NAMES, prepared
from tests.unit.package.samples import dmp_settings
from tests.unit.sandbox.fhir_defects import BOTH, ITI65, ITI105, Defect, attachment, dr

Json = dict[str, Any]
FHIR, PATCH = "application/fhir+json", "application/json-patch+json"
CASE = prepared(NAMES[0])
HEADER = CASE.document.header
INS = f"urn:oid:{HEADER.patient.ins.root}|{HEADER.patient.ins.extension}" if HEADER.patient.ins else ""
DEFECTS = [
    *((name, defect) for name in ("iti65", "iti105") for defect in BOTH),
    *(("iti65", defect) for defect in ITI65),
    *(("iti105", defect) for defect in ITI105),
]


def request(transaction: str) -> Json:
    """A valid request, to be broken."""
    settings = dmp_settings(door="fhir", fhir_url="https://x/fhir", fhir_transaction=transaction, mode="direct")
    account = CASE.account.model_copy(update={"dmp": settings})
    package = feed_package(
        CASE.document,
        CASE.renderings["cda"],
        account=account,
        keys=None,
        now=SystemClock().now(),
        ids=SeededRandomness(transaction),
    )
    found: Json = json.loads(package.part("request").data)
    return found


VALID = {name: request(name) for name in ("iti65", "iti105")}


class Caller:
    """Asks the door without a network."""

    def __init__(self, box: Sandbox) -> None:
        self.box = box
        structure = (HEADER.author.structure or HEADER.custodian).id.extension
        self.direct = self._certificate("direct", structure, HEADER.author.rpps)
        self.indirect = self._certificate("indirect", structure, None)
        self.stranger = self._certificate("stranger", structure, "99700009999")
        self.service = FhirService(
            box._dmp_store,
            box.faults,
            SystemClock(),
            SeededRandomness("door"),
            DmpOptions(),
        )

    def _certificate(self, name: str, structure: str, rpps: str | None) -> x509.Certificate:
        pair = self.box.issue_client(name, kind="auth", structure_id=structure, rpps=rpps)
        return x509.load_pem_x509_certificate(pair.cert_path.read_bytes())

    def __call__(
        self, method: str, path: str, body: Any = None, *, kind: str = FHIR, peer: x509.Certificate | None = None
    ) -> tuple[int, Json]:
        answer = self.raw(method, path, body, kind=kind, peer=peer)
        found: Json = json.loads(answer.body)
        return answer.status, found

    def raw(
        self, method: str, path: str, body: Any = None, *, kind: str = FHIR, peer: x509.Certificate | None = None
    ) -> HttpAnswer:
        data = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
        headers = (("Host", "dmp.example"), ("Accept", FHIR))
        return self.service.answer(method, HttpRequest(f"/fhir{path}", kind, data, peer or self.direct, headers))

    def feed(self, name: str = "iti65") -> str:
        """Feed the valid document; returns its uniqueId."""
        status, answer = self("POST", "" if name == "iti65" else "/DocumentReference", VALID[name])
        assert status in {200, 201}, answer
        return str(dr(VALID[name])["masterIdentifier"]["value"])

    def patch(self, name: str, operations: Any, **more: Any) -> tuple[int, Json]:
        path = f"/DocumentReference?identifier={quote('urn:ietf:rfc:3986|' + name)}"
        return self("PATCH", path, operations, **{"kind": PATCH, **more})

    def find(self, more: str = "status=current", **how: Any) -> tuple[int, Json]:
        return self("GET", f"/DocumentReference?patient.identifier={quote(INS)}&{more}", **how)


@pytest.fixture(scope="module")
def box(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    made = Sandbox(tmp_path_factory.mktemp("box"), clock=SystemClock())
    yield made
    made.close()


@pytest.fixture(scope="module")
def asker(box: Sandbox) -> Caller:
    return Caller(box)


@pytest.fixture
def call(asker: Caller) -> Caller:
    asker.box._dmp_store.clear()
    return asker


def codes(outcome: Json) -> set[str]:
    assert outcome["resourceType"] == "OperationOutcome"
    assert all(issue["severity"] == "error" and issue["details"]["text"] for issue in outcome["issue"])
    return {issue["code"] for issue in outcome["issue"]}


# ---------------------------------------------------------------------------------------------------- the table


def test_the_valid_requests_are_accepted(call: Caller) -> None:
    call.feed("iti65")
    call.box._dmp_store.clear()
    call.feed("iti105")
    assert len(call.box.dmp.documents()) == 1


def test_the_table_is_long_enough_and_names_each_defect_once() -> None:
    assert len(DEFECTS) >= 120
    for table in (BOTH + ITI65, BOTH + ITI105):
        names = [one.name for one in table]
        assert len(set(names)) == len(names)


@pytest.mark.parametrize(("transaction", "defect"), DEFECTS, ids=[f"{name}-{one.name}" for name, one in DEFECTS])
def test_broken_requests_are_refused(call: Caller, transaction: str, defect: Defect) -> None:
    broken = copy.deepcopy(VALID[transaction])
    defect.breaks(broken)
    assert broken != VALID[transaction], "the defect changes nothing"
    status, answer = call("POST", "" if transaction == "iti65" else "/DocumentReference", broken)
    assert (status, defect.code in codes(answer)) == (defect.status, True), answer
    assert call.box.dmp.documents() == []
    assert call.box.dmp.submissions() == []


# --------------------------------------------------------------------------------------------- what is there


@pytest.mark.parametrize("transaction", ["iti65", "iti105"])
def test_the_same_again_is_a_duplicate(call: Caller, transaction: str) -> None:
    call.feed(transaction)
    status, answer = call("POST", "" if transaction == "iti65" else "/DocumentReference", VALID[transaction])
    assert (status, "duplicate" in codes(answer)) == (409, True)
    assert len(call.box.dmp.documents()) == 1


def test_a_closed_dmp_and_an_opposition(call: Caller) -> None:
    assert HEADER.patient.ins is not None
    ins = (HEADER.patient.ins.extension, HEADER.patient.ins.root)
    call.box.dmp.set_patient(*ins, status="closed")
    status, answer = call("POST", "", VALID["iti65"])
    assert (status, codes(answer)) == (422, {"not-found"})
    status, found = call("GET", f"/Patient?identifier={quote(INS)}")
    assert (status, found["entry"][0]["resource"]["active"]) == (200, False)
    call.box.dmp.set_patient(*ins, authorisation="OPPOSITION")
    status, answer = call("POST", "", VALID["iti65"])
    assert (status, codes(answer)) == (403, {"forbidden"})
    assert call("GET", f"/Patient?identifier={quote(INS)}")[0] == 403
    call.box.dmp.set_patient(*ins, status="absent")
    assert call("GET", f"/Patient?identifier={quote(INS)}")[1]["total"] == 0


def test_what_is_found_is_what_was_fed(call: Caller) -> None:
    name = call.feed()
    status, found = call.find()
    assert (status, found["type"], found["total"]) == (200, "searchset", 1)
    resource = found["entry"][0]["resource"]
    fed = dr(VALID["iti65"])
    for element in ("masterIdentifier", "status", "type", "category", "securityLabel"):
        assert resource[element] == fed[element], element
    for element in ("hash", "size", "title", "language", "contentType"):
        assert resource["content"][0]["attachment"][element] == attachment(VALID["iti65"])[element]
    assert resource["masterIdentifier"]["value"] == name
    assert not [one for one in resource["contained"] if one["resourceType"] == "Patient" and "name" in one]


@pytest.mark.parametrize(
    ("more", "total"),
    [
        ("status=superseded", 0),
        ("status=current,superseded", 1),
        ("status=current&isArchived=false", 1),
        ("status=current&isArchived=true", 0),
        ("status=current&type=http://loinc.org|47420-5", 1),
        ("status=current&type=47420-5", 1),
        ("status=current&type=http://loinc.org|34133-9", 0),
        ("status=current&date=2025-10-06", 1),
        ("status=current&date=ge2025-10-07", 0),
        ("status=current&date=lt2025-10-07", 1),
        ("status=current&period=2025-10-06", 1),
        ("status=current&security-label=MASQUE_PS", 0),
        ("identifier=urn:ietf:rfc:3986|urn:oid:2.25.1", 0),
    ],
)
def test_searches(call: Caller, more: str, total: int) -> None:
    call.feed()
    name, _, value = more.rpartition("=")
    status, found = call.find(f"{name}={quote(value)}")
    assert (status, found["total"]) == (200, total)


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        ("/DocumentReference?status=current", 422, "required"),
        (f"/DocumentReference?patient.identifier={quote(INS)}", 422, "required"),
        (f"/DocumentReference?patient.identifier={quote(INS)}&status=draft", 422, "code-invalid"),
        (f"/DocumentReference?patient.identifier={quote(INS)}&status=current&colour=red", 400, "not-supported"),
        (f"/DocumentReference?patient.identifier={quote(INS)}&status=current&date=hier", 422, "value"),
        ("/DocumentReference?patient.identifier=123&status=current", 422, "value"),
        (f"/List?patient.identifier={quote(INS)}", 422, "required"),
        ("/DocumentReference/nobody", 404, "not-found"),
        ("/Binary/nobody", 404, "not-found"),
        ("/Observation?code=1", 404, "not-found"),
    ],
)
def test_questions_that_are_refused(call: Caller, path: str, status: int, code: str) -> None:
    call.feed()
    found, answer = call("GET", path)
    assert (found, codes(answer)) == (status, {code})


@pytest.mark.parametrize(
    ("method", "path", "kind", "body", "status"),
    [
        ("DELETE", "/DocumentReference/1", FHIR, None, 405),
        ("PUT", "/DocumentReference/1", FHIR, {}, 405),
        ("POST", "/Binary", FHIR, {}, 405),
        ("POST", "", "text/plain", {}, 415),
        ("POST", "", FHIR, b"{", 400),
        ("POST", "", FHIR, [], 400),
        ("POST", "", FHIR, {"resourceType": "Patient"}, 400),
        ("POST", "/DocumentReference/_search", FHIR, b"x=1", 415),
        ("PATCH", "/DocumentReference?identifier=x", "text/plain", [], 415),
        ("PATCH", "/DocumentReference", PATCH, [], 412),
        ("PATCH", "/DocumentReference?identifier=urn:oid:1", PATCH, [], 404),
    ],
)
def test_wrong_doors(call: Caller, method: str, path: str, kind: str, body: Any, status: int) -> None:
    found, answer = call(method, path, body, kind=kind)
    assert found == status
    assert codes(answer)


def test_the_capability_statement(call: Caller) -> None:
    status, found = call("GET", "/metadata")
    kinds = {one["type"]: {act["code"] for act in one["interaction"]} for one in found["rest"][0]["resource"]}
    assert (status, found["fhirVersion"], found["experimental"]) == (200, "4.0.1", True)
    assert "patch" in kinds["DocumentReference"]
    assert set(kinds) == {"DocumentReference", "List", "Binary", "Patient"}


# --------------------------------------------------------------------------------------------------- patches


MASK = {"coding": [{"system": "urn:oid:1.2.250.1.213.1.1.4.13", "code": "MASQUE_PS", "display": "Masqué"}]}


@pytest.mark.parametrize(
    ("operations", "labels", "status"),
    [
        ([{"op": "add", "path": "/securityLabel/-", "value": MASK}], ("N", "MASQUE_PS"), "Approved"),
        ([{"op": "replace", "path": "/securityLabel/0", "value": MASK}], ("N", "MASQUE_PS"), "Approved"),
        ([{"op": "replace", "path": "/extension/0/valueBoolean", "value": True}], ("N",), "Archived"),
        ([{"op": "replace", "path": "/status", "value": "entered-in-error"}], ("N",), "Deleted"),
        ([{"op": "replace", "path": "/status", "value": "superseded"}], ("N",), "Deprecated"),
    ],
)
def test_patches(call: Caller, operations: list[Json], labels: tuple[str, ...], status: str) -> None:
    found, answer = call.patch(call.feed(), operations)
    assert found == 200, answer
    [held] = call.box.dmp.documents()
    assert (held.confidentiality, held.status) == (labels, status)
    assert held.version == (2 if len(labels) > 1 else 1)


def test_a_fhirpath_patch_does_the_same(call: Caller) -> None:
    part = [
        {"name": "type", "valueCode": "replace"},
        {"name": "path", "valueString": "DocumentReference.status"},
        {"name": "value", "valueCode": "entered-in-error"},
    ]
    body = {"resourceType": "Parameters", "parameter": [{"name": "operation", "part": part}]}
    assert call.patch(call.feed(), body, kind=FHIR)[0] == 200
    assert call.box.dmp.documents()[0].status == "Deleted"


@pytest.mark.parametrize(
    ("operations", "status", "code"),
    [
        ([{"op": "replace", "path": "/description", "value": "x"}], 422, "not-found"),
        ([{"op": "add", "path": "/description", "value": "x"}], 405, "not-supported"),
        ([{"op": "replace", "path": "/type/text", "value": "x"}], 405, "not-supported"),
        ([{"op": "remove", "path": "/masterIdentifier"}], 405, "not-supported"),
        (
            [{"op": "add", "path": "/extension/-", "value": {"url": "urn:x", "valueBoolean": True}}],
            405,
            "not-supported",
        ),
        ([{"op": "replace", "path": "/status", "value": "draft"}], 422, "code-invalid"),
        ([{"op": "remove", "path": "/status"}], 422, "code-invalid"),
        ([{"op": "remove", "path": "/securityLabel"}], 422, "required"),
        ([{"op": "replace", "path": "/extension/0/valueBoolean", "value": "oui"}], 422, "value"),
        ([{"op": "test", "path": "/status", "value": "superseded"}], 422, "conflict"),
        ([{"op": "replace", "path": "/extension[url:'x']/valueBoolean", "value": True}], 422, "not-found"),
        ([{"op": "spoil", "path": "/status"}], 400, "structure"),
        ([{"op": "replace", "path": "status", "value": "current"}], 400, "structure"),
        ([{"op": "replace", "path": "/status"}], 400, "structure"),
        ([], 400, "structure"),
        ({"op": "replace"}, 400, "structure"),
    ],
)
def test_patches_that_are_refused(call: Caller, operations: Any, status: int, code: str) -> None:
    found, answer = call.patch(call.feed(), operations)
    assert (found, codes(answer)) == (status, {code})
    assert [(one.status, one.version) for one in call.box.dmp.documents()] == [("Approved", 1)]


def test_masked_and_hidden_are_not_held_together(call: Caller) -> None:
    hidden = {"coding": [{**MASK["coding"][0], "code": "INVISIBLE_PATIENT"}]}
    operations = [{"op": "add", "path": "/securityLabel/-", "value": one} for one in (MASK, hidden)]
    found, answer = call.patch(call.feed(), operations)
    assert (found, codes(answer)) == (403, {"forbidden"})


# ---------------------------------------------------------------------------------------------------- rights


def test_what_a_structure_may_do(call: Caller) -> None:
    name = call.feed()
    status, found = call.find(peer=call.indirect)
    resource = found["entry"][0]["resource"]
    assert (status, resource["masterIdentifier"]["value"], "content" in resource) == (200, name, False)
    binary = attachment(call.find()[1]["entry"][0]["resource"])["url"].removeprefix("https://dmp.example/fhir")
    assert call("GET", binary, peer=call.indirect)[0] == 403
    mask = [{"op": "add", "path": "/securityLabel/-", "value": MASK}]
    assert call.patch(name, mask, peer=call.indirect)[0] == 403
    delete = [{"op": "replace", "path": "/status", "value": "entered-in-error"}]
    assert call.patch(name, delete, peer=call.indirect)[0] == 200


def test_what_another_professional_may_do(call: Caller) -> None:
    name = call.feed()
    assert call("POST", "", VALID["iti65"], peer=call.stranger)[0] == 403
    archive = [{"op": "replace", "path": "/extension/0/valueBoolean", "value": True}]
    assert call.patch(name, archive, peer=call.stranger)[0] == 403
    mask = [{"op": "add", "path": "/securityLabel/-", "value": MASK}]
    assert call.patch(name, mask, peer=call.stranger)[0] == 200
    assert call.find(peer=call.stranger)[1]["total"] == 0
    assert call.patch(name, [{"op": "remove", "path": "/securityLabel/1"}], peer=call.stranger)[0] == 404


def test_a_set_is_found_by_who_made_it_and_by_who_sees_its_document(call: Caller) -> None:
    def documents(peer: x509.Certificate) -> list[int]:
        status, found = call("GET", f"/List?patient.identifier={quote(INS)}&status=current", peer=peer)
        assert status == 200, found
        return [len(one["resource"]["entry"]) for one in found.get("entry", [])]

    name = call.feed()
    assert [documents(peer) for peer in (call.direct, call.indirect, call.stranger)] == [[1], [1], [1]]
    call.patch(name, [{"op": "add", "path": "/securityLabel/-", "value": MASK}])
    assert [documents(peer) for peer in (call.direct, call.indirect, call.stranger)] == [[1], [1], []]


def test_what_is_deleted_is_no_longer_read(call: Caller) -> None:
    name = call.feed()
    binary = attachment(call.find()[1]["entry"][0]["resource"])["url"].removeprefix("https://dmp.example/fhir")
    assert call("GET", binary)[1]["resourceType"] == "Binary"
    call.patch(name, [{"op": "replace", "path": "/status", "value": "entered-in-error"}])
    assert call("GET", binary)[0] == 404
    assert call.patch(name, [{"op": "replace", "path": "/status", "value": "current"}])[0] == 422


def test_a_signature_certificate_opens_nothing(call: Caller) -> None:
    pair = call.box.issue_client("signer", kind="sign", structure_id="499700001011001")
    peer = x509.load_pem_x509_certificate(pair.cert_path.read_bytes())
    assert call.find(peer=peer)[0] == 403
