"""A change of a document by the FHIR door: conditional PATCH with JSON Patch (RFC 6902; PDSm flux 03, spec dmp §4).

Nothing random goes into it. What is frozen is which document changes how; the operations are made from the resource
as the server has it just before, because RFC 6902 names the elements of an array by their place. A `test` stands before
whatever a change in between could move.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gateway.package import xds
from gateway.package.metadata_update import LABELS
from gateway.package.pdsm_people import data
from gateway.package.types import Change, DmpUpdateContext, Package, Part, feed_context
from gateway.render.fhir.write import to_json

if TYPE_CHECKING:
    from collections.abc import Mapping

MEDIA_TYPE = "application/json-patch+json"
DELETED = "entered-in-error"
"""Status of a deleted document: one of two that the draft names (its open question; spec dmp §4)."""

Operation = dict[str, Any]


def update_package(feed: Package, change: Change) -> Package:
    """Freeze a change of the document that `feed` brought by the FHIR door: one part `update`, and its context."""
    fed = feed_context(feed)
    context = DmpUpdateContext(
        **fed.identity,
        change=change,
        submission_set_id="",
        document_id=fed.document_id,
        known_entry=fed.document_entry,
        new_entry="",
        door=fed.door,
    )
    intent = {"change": change, "identifier": f"urn:oid:{fed.document_id}"}
    return Package((Part("update", "application/json", to_json(intent).encode()),), context)


def operations(change: Change, resource: Mapping[str, Any]) -> list[Operation]:
    """The JSON Patch that makes a DocumentReference as the change wants it; empty when it already is.

    Raises ValueError when the resource has not the shape that it must have.
    """
    if change in LABELS:
        return _relabel(change, _listed(resource, "securityLabel"))
    if change == "delete":
        return [] if resource.get("status") == DELETED else [_set("/status", DELETED)]
    return _archive(change == "archive", _listed(resource, "extension"))


def body(found: list[Operation]) -> bytes:
    """The operations as they travel."""
    return to_json(found).encode()


def _set(path: str, value: Any) -> Operation:
    return {"op": "replace", "path": path, "value": value}


def _listed(resource: Mapping[str, Any], name: str) -> list[Any]:
    value = resource.get(name, [])
    if not isinstance(value, list) or not all(isinstance(one, dict) for one in value):
        raise ValueError(f"{name} is no list of elements")
    return value


def _relabel(change: Change, held: list[Any]) -> list[Operation]:
    """One label more, at the end, or one less, where it stands."""
    name, wanted = LABELS[change]
    code = xds.visibility_codes()[name]
    places = [place for place, one in enumerate(held) if _has(one, code.code)]
    if wanted:
        coding = {"system": data().systems[code.system], "code": code.code, "display": code.display}
        added = {"coding": [coding], "text": code.display}
        first = {"op": "add", "path": "/securityLabel", "value": [added]}
        return [] if places else [{"op": "add", "path": "/securityLabel/-", "value": added}] if held else [first]
    found: list[Operation] = []
    for place in reversed(places):
        path = f"/securityLabel/{place}"
        found += [{"op": "test", "path": path, "value": held[place]}, {"op": "remove", "path": path}]
    return found


def _has(label: Mapping[str, Any], code: str) -> bool:
    coding = label.get("coding", [])
    return isinstance(coding, list) and any(isinstance(one, dict) and one.get("code") == code for one in coding)


def _archive(archived: bool, extensions: list[Any]) -> list[Operation]:
    url = data().extension["archived"]
    place = next((number for number, one in enumerate(extensions) if one.get("url") == url), None)
    if place is None:
        added = {"url": url, "valueBoolean": True}
        path, value = ("/extension/-", added) if extensions else ("/extension", [added])
        return [{"op": "add", "path": path, "value": value}] if archived else []
    if extensions[place].get("valueBoolean") is archived:
        return []
    return [
        {"op": "test", "path": f"/extension/{place}/url", "value": url},
        _set(f"/extension/{place}/valueBoolean", archived),
    ]
