"""What the FHIR door says that it can do (CapabilityStatement)."""

from __future__ import annotations

from collections.abc import Sequence

from gateway.sandbox.dmp.fhir.values import Json, profile

_DOCUMENT_SEARCH = (
    ("patient.identifier", "token"),
    ("identifier", "token"),
    ("status", "token"),
    ("isArchived", "token"),
    ("type", "token"),
    ("category", "token"),
    ("format", "token"),
    ("facility", "token"),
    ("setting", "token"),
    ("security-label", "token"),
    ("date", "date"),
    ("creation", "date"),
    ("period", "date"),
)
_SET_SEARCH = (("patient.identifier", "token"), ("status", "token"), ("code", "token"), ("identifier", "token"))


def statement(base: str) -> Json:
    """The CapabilityStatement of this address."""
    return {
        "resourceType": "CapabilityStatement",
        "status": "draft",
        "experimental": True,
        "date": "2026-11-22",
        "kind": "instance",
        "software": {"name": "bac à sable kine-gateway"},
        "implementation": {"description": "Porte FHIR expérimentale du DMP (brouillons PDSm)", "url": base},
        "fhirVersion": "4.0.1",
        "format": ["application/fhir+json"],
        "patchFormat": ["application/json-patch+json", "application/fhir+json"],
        "rest": [
            {
                "mode": "server",
                "resource": [
                    {
                        **_resource("DocumentReference", ("create", "read", "search-type", "patch"), _DOCUMENT_SEARCH),
                        "conditionalUpdate": True,
                        "supportedProfile": [profile("document"), profile("simplified")],
                    },
                    {**_resource("List", ("search-type",), _SET_SEARCH), "supportedProfile": [profile("set")]},
                    _resource("Binary", ("read",), ()),
                    _resource("Patient", ("search-type",), (("identifier", "token"),)),
                ],
                "interaction": [{"code": "transaction"}],
            }
        ],
    }


def _resource(kind: str, interactions: Sequence[str], searched: Sequence[tuple[str, str]]) -> Json:
    found: Json = {"type": kind, "interaction": [{"code": one} for one in interactions]}
    if searched:
        found["searchParam"] = [{"name": name, "type": type_} for name, type_ in searched]
    return found
