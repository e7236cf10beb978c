"""Reading FHIR JSON without trusting it: one reader for each datatype, every defect collected with its place."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime

from gateway.sandbox.dmp.fhir.issues import Issue
from gateway.sandbox.dmp.fhir.values import Json, facts, oid_of
from gateway.sandbox.ebrim import Code

_INSTANT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)")


@dataclass(slots=True)
class Reader:
    """A resource and what is wrong with it."""

    resource: Json
    issues: list[Issue] = field(default_factory=list)

    @property
    def kind(self) -> str:
        """Its resourceType."""
        return str(self.resource.get("resourceType", ""))

    def fault(self, code: str, where: str, text: str) -> None:
        """Remember a defect."""
        self.issues.append(Issue(code, f"{self.kind}.{where}", text))

    def need(self, *path: str) -> object:
        """The value at a path, through the first item of each array; a missing one is a defect."""
        value = self.get(*path)
        if value in (None, "", [], {}):
            self.fault("required", ".".join(path), "élément obligatoire absent")
            return None
        return value

    def get(self, *path: str) -> object:
        """The value at a path, through the first item of each array; None when there is none."""
        value: object = self.resource
        for name in path:
            value = first(value)
            value = value.get(name) if isinstance(value, dict) else None
        return value

    def text(self, *path: str, required: bool = True) -> str:
        """A string."""
        value = self.need(*path) if required else self.get(*path)
        if value is not None and not isinstance(value, str):
            self.fault("value", ".".join(path), "texte attendu")
            return ""
        return value or ""

    def time(self, *path: str, required: bool = True) -> str:
        """An instant as UTC digits (`yyyyMMddHHmmss`), as XDS writes it."""
        value = self.text(*path, required=required)
        if not value:
            return ""
        if not _INSTANT.fullmatch(value):
            self.fault("value", ".".join(path), "dateTime à la seconde avec décalage attendu")
            return ""
        try:
            return datetime.fromisoformat(value).astimezone(UTC).strftime("%Y%m%d%H%M%S")
        except ValueError:
            self.fault("value", ".".join(path), "cette date n'existe pas")
            return ""

    def code(self, *path: str) -> Code | None:
        """A CodeableConcept or Coding: its first code whose system is known."""
        value = first(self.need(*path))
        if value is None:
            return None
        return self.coding(value, ".".join(path))

    def coding(self, value: object, where: str) -> Code | None:
        """The code inside a CodeableConcept or Coding."""
        listed = value.get("coding", [value]) if isinstance(value, dict) else []
        for one in listed if isinstance(listed, list) else []:
            if not isinstance(one, dict) or not isinstance(one.get("code"), str):
                continue
            oid = oid_of(str(one.get("system", "")))
            if oid:
                words = one.get("display") or (value.get("text") if isinstance(value, dict) else "")
                return Code(one["code"], oid, str(words or one["code"]))
        self.fault("code-invalid", where, "coding avec system connu et code attendu")
        return None

    def contained(self, reference: object, where: str, *kinds: str) -> Json:
        """What a Reference to a fragment points to."""
        target = reference.get("reference") if isinstance(reference, dict) else None
        if not isinstance(target, str) or not target.startswith("#"):
            self.fault("invalid", where, "référence vers une ressource contenue (#...) attendue")
            return {}
        for one in dicts(self.resource.get("contained")):
            if one.get("id") == target[1:]:
                if kinds and one.get("resourceType") not in kinds:
                    self.fault("invalid", where, f"{' ou '.join(kinds)} attendu")
                    return {}
                return one
        self.fault("not-found", where, f"ressource contenue {target} absente")
        return {}

    def extension(self, url: str) -> Json:
        """The extension of this address; empty when there is none."""
        return next((one for one in dicts(self.resource.get("extension")) if one.get("url") == url), {})


def first(value: object) -> object:
    """The first item of an array, anything else as it is."""
    return (value[0] if value else None) if isinstance(value, list) else value


def dicts(value: object) -> Iterator[Json]:
    """The objects of an array."""
    for one in value if isinstance(value, list) else []:
        if isinstance(one, dict):
            yield one


def uri_value(identifier: object, prefix: str) -> str:
    """The URI of an identifier of RFC 3986 without its prefix (`urn:oid:`, `urn:uuid:`); empty for any other."""
    if not isinstance(identifier, dict) or identifier.get("system") != facts()["uri"]:
        return ""
    value = identifier.get("value")
    return value.removeprefix(prefix) if isinstance(value, str) and value.startswith(prefix) else ""


def system_value(resource: Json, system: str) -> str:
    """The value of the identifier of this system."""
    found = (str(one.get("value", "")) for one in dicts(resource.get("identifier")) if one.get("system") == system)
    return next(found, "")
