"""What goes out by the FHIR door is valid FHIR R4, by a checker that is not ours: every fixture, both transactions.

The PDSm profiles are not compiled anywhere we can reach: their elements are held by `test_fhir_door` (sandbox) and by
`test_every_mandatory_element`, from the published FSH.
"""

from __future__ import annotations

import hashlib
import json
from base64 import b64decode, b64encode
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from gateway.document.lineage import DocumentRef
from gateway.package.feed import feed_package
from gateway.package.pdsm_update import operations
from tests.unit.fixture_cases import NAMES, prepared
from tests.unit.package.samples import NOW, dmp_settings, ids

FhirCheck = Callable[..., list[dict[str, Any]]]
WITH_INS = [name for name in NAMES if prepared(name).document.header.patient.ins is not None]
DOORS = ("iti65", "iti105")


def request(name: str, door: str, fr_core: str = "2.2-ballot") -> dict[str, Any]:
    made = prepared(name)
    settings = dmp_settings(door="fhir", fhir_url="https://dmp.example/fhir", fhir_transaction=door)
    account = made.account.model_copy(update={"dmp": settings})
    package = feed_package(
        made.document, made.renderings["cda"], account=account, keys=None, now=NOW, ids=ids(name), fr_core=fr_core
    )
    found: dict[str, Any] = json.loads(package.part("request").data)
    return found


def resources(sent: dict[str, Any]) -> list[dict[str, Any]]:
    return [entry["resource"] for entry in sent["entry"]] if sent["resourceType"] == "Bundle" else [sent]


@pytest.mark.parametrize("door", DOORS)
def test_everything_sent_for_every_fixture_is_valid(fhircheck: FhirCheck, door: str) -> None:
    """One run for all: the resources of every request, side by side under the addresses that they have in it."""
    entries: list[dict[str, Any]] = []
    for number, name in enumerate(WITH_INS):
        sent = request(name, door)
        alone = {"fullUrl": f"urn:uuid:00000000-0000-4000-8000-{number:012d}", "resource": sent}
        listed = sent["entry"] if sent["resourceType"] == "Bundle" else [alone]
        entries += [{"fullUrl": one["fullUrl"], "resource": one["resource"]} for one in listed]
    assert len({one["fullUrl"] for one in entries}) == len(entries) == len(WITH_INS) * (3 if door == "iti65" else 1)
    bundle = {"resourceType": "Bundle", "type": "collection", "entry": entries}
    assert fhircheck(json.dumps(bundle).encode()) == []


@pytest.mark.parametrize("door", DOORS)
def test_a_request_as_it_travels(fhircheck: FhirCheck, door: str) -> None:
    assert fhircheck(json.dumps(replacement(door)).encode()) == []


def replacement(door: str) -> dict[str, Any]:
    """A request that replaces: relatesTo, and by ITI-65 the patch of the former."""
    made = prepared(WITH_INS[0])
    former = DocumentRef("2.25.1", 1, None, registry_entry="urn:uuid:00000000-0000-4000-8000-000000000001")
    document = replace(made.document, header=replace(made.document.header, replaces=former))
    settings = dmp_settings(door="fhir", fhir_url="https://dmp.example/fhir", fhir_transaction=door)
    account = made.account.model_copy(update={"dmp": settings})
    package = feed_package(document, made.renderings["cda"], account=account, keys=None, now=NOW, ids=ids())
    found: dict[str, Any] = json.loads(package.part("request").data)
    return found


def test_a_replacement_names_the_former_by_its_own_identifier() -> None:
    bundle = replacement("iti65")
    named = {"system": "urn:ietf:rfc:3986", "value": "urn:oid:2.25.1"}
    assert bundle["entry"][1]["resource"]["relatesTo"][0]["target"]["identifier"] == named
    assert bundle["entry"][3]["request"] == {
        "method": "PATCH",
        "url": "DocumentReference?identifier=urn:ietf:rfc:3986|urn:oid:2.25.1",
    }
    assert replacement("iti105")["relatesTo"][0]["code"] == "replaces"


@pytest.mark.parametrize("release", ["2.1", "2.2-ballot", "2.2"])
def test_people_inside_follow_fr_core(fhircheck: FhirCheck, release: str) -> None:
    """The checker does not open what is contained: the same resources, side by side in a collection."""
    inside: list[dict[str, Any]] = [
        {"fullUrl": f"urn:uuid:00000000-0000-4000-8000-{number:012d}", "resource": _alone(one, number)}
        for number, one in enumerate(request(WITH_INS[0], "iti105", release)["contained"], 1)
    ]
    assert {one["resource"]["resourceType"] for one in inside} == {
        "Patient",
        "Practitioner",
        "PractitionerRole",
        "Organization",
    }
    bundle = {"resourceType": "Bundle", "type": "collection", "entry": inside}
    assert fhircheck(json.dumps(bundle).encode()) == []


def _alone(resource: dict[str, Any], number: int) -> dict[str, Any]:
    """References between what is contained become logical ones."""
    kept = {key: value for key, value in resource.items() if key not in {"practitioner", "organization"}}
    return {**kept, "id": f"one-{number}"}


def test_the_checker_sees_a_fault(fhircheck: FhirCheck) -> None:
    sent = request(WITH_INS[0], "iti105")
    sent["status"] = "perhaps"
    assert fhircheck(json.dumps(sent).encode())


# PDSm 3.1.1: mandatory elements of the profiles (FSH), as paths through the first item of each array.
COMPREHENSIVE = (
    *("contained", "masterIdentifier", "status", "type", "category", "subject", "date", "author", "custodian"),
    *("securityLabel", "content.attachment.contentType", "content.attachment.size", "content.attachment.hash"),
    *("content.attachment.title", "content.attachment.url", "content.format", "context.period.start"),
    *("context.facilityType", "context.practiceSetting", "context.sourcePatientInfo"),
)
SIMPLIFIED = (
    *("status", "subject", "date", "author", "custodian", "content.attachment.contentType"),
    *("content.attachment.data", "content.attachment.title"),
)
SET = ("contained", "extension", "identifier", "status", "mode", "code", "subject", "date", "source", "entry")


def at(resource: Any, path: str) -> Any:
    for name in path.split("."):
        resource = resource[0] if isinstance(resource, list) else resource
        resource = (resource or {}).get(name)
    return resource


@pytest.mark.parametrize("name", WITH_INS)
def test_every_mandatory_element(name: str) -> None:
    bundle, simple = request(name, "iti65"), request(name, "iti105")
    lot, described, binary = resources(bundle)
    assert [path for path in COMPREHENSIVE if not at(described, path)] == []
    assert [path for path in SIMPLIFIED if not at(simple, path)] == []
    assert [path for path in SET if not at(lot, path)] == []
    assert "url" not in simple["content"][0]["attachment"]
    assert {one["url"].rpartition("/")[2] for one in lot["extension"]} == {"ihe-designationType", "ihe-sourceId"}
    assert described["content"][0]["attachment"]["url"] == bundle["entry"][2]["fullUrl"]
    assert lot["entry"][0]["item"]["reference"] == bundle["entry"][1]["fullUrl"]
    cda = prepared(name).renderings["cda"]
    digest = b64encode(hashlib.sha1(cda, usedforsecurity=False).digest()).decode()
    for attachment in (described["content"][0]["attachment"], simple["content"][0]["attachment"]):
        assert (attachment["size"], attachment["hash"]) == (len(cda), digest)
    assert b64decode(binary["data"]) == b64decode(simple["content"][0]["attachment"]["data"]) == cda


@pytest.mark.parametrize("door", DOORS)
def test_same_arguments_same_bytes(door: str) -> None:
    assert request(WITH_INS[0], door) == request(WITH_INS[0], door)


def test_nothing_more_of_the_patient_than_by_soap() -> None:
    for resource in resources(request(WITH_INS[0], "iti65"))[:2]:
        [patient] = [one for one in resource["contained"] if one["resourceType"] == "Patient"]
        assert not {"telecom", "address", "generalPractitioner", "contact"} & patient.keys()


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ("mask", [("add", "/securityLabel/-")]),
        ("unmask", []),
        ("archive", [("test", "/extension/0/url"), ("replace", "/extension/0/valueBoolean")]),
        ("unarchive", []),
        ("delete", [("replace", "/status")]),
    ],
)
def test_changes_of_a_fresh_document(change: Any, expected: list[tuple[str, str]]) -> None:
    found = operations(change, request(WITH_INS[0], "iti105"))
    assert [(one["op"], one["path"]) for one in found] == expected
