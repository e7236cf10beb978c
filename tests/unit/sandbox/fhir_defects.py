"""Broken requests of the FHIR door: one defect each, with the status and the issue code that answer it."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

Json = dict[str, Any]
Break = Callable[[Json], None]


@dataclass(frozen=True)
class Defect:
    """`breaks` spoils a valid request in place."""

    name: str
    status: int
    code: str
    breaks: Break


def entry(bundle: Json, kind: str) -> Json:
    found: Json = next(one for one in bundle["entry"] if one["resource"]["resourceType"] == kind)
    return found


def of(bundle: Json, kind: str) -> Json:
    resource: Json = entry(bundle, kind)["resource"]
    return resource


def dr(value: Json) -> Json:
    return value if value["resourceType"] == "DocumentReference" else of(value, "DocumentReference")


def inside(resource: Json, kind: str) -> Json:
    found: Json = next(one for one in resource["contained"] if one["resourceType"] == kind)
    return found


def attachment(value: Json) -> Json:
    found: Json = dr(value)["content"][0]["attachment"]
    return found


def without(*path: str) -> Break:
    """The DocumentReference without an element."""

    def breaks(value: Json) -> None:
        holder: Any = dr(value)
        for name in path[:-1]:
            holder = holder[name][0] if isinstance(holder[name], list) else holder[name]
        del holder[path[-1]]

    return breaks


def set_to(*path: str, to: Any) -> Break:
    """The DocumentReference with another value somewhere."""

    def breaks(value: Json) -> None:
        holder: Any = dr(value)
        for name in path[:-1]:
            holder = holder[name][0] if isinstance(holder[name], list) else holder[name]
        holder[path[-1]] = to

    return breaks


def coded(*path: str, system: str | None = None, code: str | None = None) -> Break:
    """Another code or system in a CodeableConcept of the DocumentReference."""

    def breaks(value: Json) -> None:
        holder: Any = dr(value)
        for name in path:
            holder = holder[name][0] if isinstance(holder[name], list) else holder[name]
        coding = holder["coding"][0]
        coding.update({key: item for key, item in (("system", system), ("code", code)) if item is not None})

    return breaks


def listed(breaks: Break) -> Break:
    return lambda value: breaks(of(value, "List"))


def _content(value: Json, data: bytes) -> None:
    """Other bytes, with hash and size that are theirs."""
    text = base64.b64encode(data).decode()
    if value["resourceType"] == "Bundle":
        of(value, "Binary")["data"] = text
    else:
        attachment(value)["data"] = text
    attachment(value)["size"] = len(data)
    attachment(value)["hash"] = base64.b64encode(hashlib.sha1(data, usedforsecurity=False).digest()).decode()


def _other_patient(value: Json) -> None:
    other = "180032B02040123"
    dr(value)["subject"]["identifier"]["value"] = other
    inside(dr(value), "Patient")["identifier"][0]["value"] = other


BOTH: tuple[Defect, ...] = (
    Defect("no masterIdentifier", 422, "required", without("masterIdentifier")),
    Defect("masterIdentifier is no OID", 422, "required", set_to("masterIdentifier", "value", to="12345")),
    Defect("no status", 422, "value", without("status")),
    Defect("superseded from the start", 422, "value", set_to("status", to="superseded")),
    Defect("no type", 422, "required", without("type")),
    Defect("type of an unknown system", 422, "code-invalid", coded("type", system="http://example.org/x")),
    Defect("type outside the value set", 422, "invalid", coded("type", code="99999-9")),
    Defect("type that the DMP refuses", 422, "invalid", coded("type", code="34120-6")),
    Defect("no category", 422, "required", without("category")),
    Defect("category that is not the type's", 422, "invalid", coded("category", code="11")),
    Defect("no subject", 422, "required", without("subject")),
    Defect("subject without INS", 422, "required", lambda v: dr(v).update(subject={"display": "X"})),
    Defect(
        "subject and contained patient differ", 422, "invalid", set_to("subject", "identifier", "value", to="1" * 15)
    ),
    Defect("another patient than the document's", 422, "invalid", _other_patient),
    Defect("no date", 422, "required", without("date")),
    Defect("date without time", 422, "value", set_to("date", to="2025-10-06")),
    Defect("date without offset", 422, "value", set_to("date", to="2025-10-06T09:30:00")),
    Defect("another date than the document's", 422, "invalid", set_to("date", to="2020-01-01T00:00:00Z")),
    Defect("no author", 422, "required", without("author")),
    Defect("author outside", 422, "invalid", set_to("author", "reference", to="Practitioner/1")),
    Defect("author not contained", 422, "not-found", set_to("author", "reference", to="#nobody")),
    Defect("author without name", 422, "required", lambda v: inside(dr(v), "Practitioner").pop("name")),
    Defect("author without number", 422, "required", lambda v: inside(dr(v), "Practitioner").pop("identifier")),
    Defect("structure without number", 422, "required", lambda v: inside(dr(v), "Organization").pop("identifier")),
    Defect("no authenticator", 422, "required", without("authenticator")),
    Defect("no custodian", 422, "required", without("custodian")),
    Defect("no securityLabel", 422, "required", without("securityLabel")),
    Defect("label outside the value set", 422, "invalid", coded("securityLabel", code="TOP_SECRET")),
    Defect("no title", 422, "required", without("content", "attachment", "title")),
    Defect("another title", 422, "invalid", set_to("content", "attachment", "title", to="Autre titre")),
    Defect("no language", 422, "required", without("content", "attachment", "language")),
    Defect("another language", 422, "invalid", set_to("content", "attachment", "language", to="en-US")),
    Defect("no contentType", 422, "required", without("content", "attachment", "contentType")),
    Defect("wrong hash", 422, "conflict", set_to("content", "attachment", "hash", to="A" * 27 + "=")),
    Defect("hash in hexadecimal", 422, "conflict", set_to("content", "attachment", "hash", to="0" * 40)),
    Defect("wrong size", 422, "conflict", set_to("content", "attachment", "size", to=1)),
    Defect("size as text", 422, "conflict", set_to("content", "attachment", "size", to="12")),
    Defect("two contents", 422, "structure", lambda v: dr(v)["content"].append(dr(v)["content"][0])),
    Defect("no format", 422, "required", without("content", "format")),
    Defect("format of a PDF", 422, "invalid", set_to("content", "format", "code", to="urn:ihe:iti:xds-sd:pdf:2008")),
    Defect("no period", 422, "required", without("context", "period")),
    Defect("no facility", 422, "required", without("context", "facilityType")),
    Defect("facility outside the value set", 422, "invalid", coded("context", "facilityType", code="XX99")),
    Defect("no practice setting", 422, "required", without("context", "practiceSetting")),
    Defect("no source patient", 422, "required", without("context", "sourcePatientInfo")),
    Defect("archived from the start", 422, "business-rule", set_to("extension", "valueBoolean", to=True)),
    Defect("no profile", 422, "required", without("meta", "profile")),
    Defect("content that is no CDA", 422, "invalid", lambda v: _content(v, b"<html/>")),
    Defect(
        "replaces without target",
        422,
        "required",
        lambda v: dr(v).update(relatesTo=[{"code": "replaces", "target": {"display": "x"}}]),
    ),
    Defect(
        "appends",
        422,
        "not-supported",
        lambda v: dr(v).update(relatesTo=[{"code": "appends", "target": {"reference": "DocumentReference/1"}}]),
    ),
)
"""Defects of the DocumentReference, by ITI-65 and by ITI-105."""

ITI65: tuple[Defect, ...] = (
    Defect("no bundle profile", 422, "required", lambda v: v.pop("meta")),
    Defect("a batch", 422, "invalid", lambda v: v.update(type="batch")),
    Defect("no entry", 422, "invalid", lambda v: v.update(entry=[])),
    Defect("an entry without resource", 400, "structure", lambda v: v["entry"][0].pop("resource")),
    Defect("no submission set", 422, "required", lambda v: v["entry"].pop(0)),
    Defect("two submission sets", 422, "required", lambda v: v["entry"].append(v["entry"][0])),
    Defect("no document", 422, "required", lambda v: v["entry"].pop(1)),
    Defect("no content", 422, "not-found", lambda v: v["entry"].pop(2)),
    Defect("same fullUrl twice", 422, "invalid", lambda v: v["entry"][2].update(fullUrl=v["entry"][1]["fullUrl"])),
    Defect("PUT", 422, "invalid", lambda v: v["entry"][1]["request"].update(method="PUT")),
    Defect("wrong request url", 422, "invalid", lambda v: v["entry"][1]["request"].update(url="Observation")),
    Defect(
        "a resource of another kind",
        422,
        "not-supported",
        lambda v: v["entry"].append(
            {"fullUrl": "urn:uuid:9", "resource": {"resourceType": "Patient"}, "request": {"method": "POST"}}
        ),
    ),
    Defect(
        "a content for nobody",
        422,
        "invalid",
        lambda v: v["entry"].append({**v["entry"][2], "fullUrl": "urn:uuid:11111111-1111-4111-8111-111111111111"}),
    ),
    Defect("no hash", 422, "required", without("content", "attachment", "hash")),
    Defect("no size", 422, "required", without("content", "attachment", "size")),
    Defect("content that is no base64", 422, "value", lambda v: of(v, "Binary").update(data="***")),
    Defect(
        "other contentType of the Binary", 422, "invalid", lambda v: of(v, "Binary").update(contentType="text/plain")
    ),
    Defect(
        "changed content", 422, "conflict", lambda v: of(v, "Binary").update(data=base64.b64encode(b"<a/>").decode())
    ),
    Defect("set without uniqueId", 422, "required", listed(lambda v: v.update(identifier=v["identifier"][1:]))),
    Defect("set without sourceId", 422, "required", listed(lambda v: v.update(extension=v["extension"][:1]))),
    Defect("set without designation", 422, "code-invalid", listed(lambda v: v.update(extension=v["extension"][1:]))),
    Defect(
        "designation outside the value set",
        422,
        "invalid",
        listed(lambda v: v["extension"][0]["valueCodeableConcept"]["coding"][0].update(code="55")),
    ),
    Defect("set without date", 422, "required", listed(lambda v: v.pop("date"))),
    Defect("set without source", 422, "required", listed(lambda v: v.pop("source"))),
    Defect("set without subject", 422, "required", listed(lambda v: v.pop("subject"))),
    Defect("set that is no submission set", 422, "code-invalid", listed(lambda v: v.pop("code"))),
    Defect("set that is retired", 422, "value", listed(lambda v: v.update(status="retired"))),
    Defect("set in snapshot mode", 422, "value", listed(lambda v: v.update(mode="snapshot"))),
    Defect("set without profile", 422, "required", listed(lambda v: v.pop("meta"))),
    Defect("set without the document", 422, "invalid", listed(lambda v: v.update(entry=[]))),
    Defect(
        "another patient in the set",
        422,
        "invalid",
        listed(lambda v: v["subject"]["identifier"].update(value="180032B02040123")),
    ),
    Defect(
        "another author in the set",
        403,
        "forbidden",
        listed(lambda v: inside(v, "Practitioner")["identifier"][0].update(value="899700009999")),
    ),
    Defect(
        "another structure in the set",
        403,
        "forbidden",
        listed(lambda v: inside(v, "Organization")["identifier"][0].update(value="499700009999001")),
    ),
    Defect(
        "replaces without the patch of the former",
        422,
        "required",
        lambda v: dr(v).update(
            relatesTo=[
                {
                    "code": "replaces",
                    "target": {"identifier": {"system": "urn:ietf:rfc:3986", "value": "urn:oid:2.25.1"}},
                }
            ]
        ),
    ),
    Defect(
        "a patch of a document that is not replaced",
        422,
        "required",
        lambda v: v["entry"].append(
            {
                "fullUrl": "urn:uuid:22222222-2222-4222-8222-222222222222",
                "resource": {
                    "resourceType": "Parameters",
                    "parameter": [
                        {
                            "name": "operation",
                            "part": [
                                {"name": "type", "valueCode": "replace"},
                                {"name": "path", "valueString": "DocumentReference.status"},
                                {"name": "value", "valueCode": "superseded"},
                            ],
                        }
                    ],
                },
                "request": {"method": "PATCH", "url": "DocumentReference?identifier=urn:ietf:rfc:3986|urn:oid:2.25.1"},
            }
        ),
    ),
)
"""Defects of the whole transaction."""

ITI105: tuple[Defect, ...] = (
    Defect("no data", 422, "required", without("content", "attachment", "data")),
    Defect("data that is no base64", 422, "value", set_to("content", "attachment", "data", to="***")),
    Defect("an address beside the data", 422, "structure", set_to("content", "attachment", "url", to="Binary/1")),
)
"""Defects of the simplified publication."""
