"""Facts of the FHIR door, read from its own data file; code systems by address and by OID."""

from __future__ import annotations

import json
from functools import cache
from importlib.resources import files
from typing import Any

Json = dict[str, Any]


@cache
def facts() -> Json:
    """The content of `data/fhir.json`."""
    text = files("gateway.sandbox").joinpath("data", "fhir.json").read_text(encoding="utf-8")
    loaded: Json = json.loads(text)
    return loaded


def oid_of(system: str) -> str:
    """OID of a code system's address; empty when it is unknown here."""
    if system.startswith("urn:oid:"):
        return system.removeprefix("urn:oid:")
    return str(facts()["systems"].get(system, ""))


@cache
def _addresses() -> dict[str, str]:
    return {oid: url for url, oid in reversed(facts()["systems"].items())}


def address_of(oid: str) -> str:
    """FHIR address of a code system's OID."""
    return _addresses().get(oid, f"urn:oid:{oid}")


def profile(name: str) -> str:
    """Canonical address of a profile: `bundle`, `set`, `document`, `simplified`."""
    return str(facts()["profiles"] + facts()[f"{name}_profile"])
