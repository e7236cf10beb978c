"""The sandbox's directory against R4 and the FR Core profiles that its resources claim."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Callable
from typing import Any

import pytest

from gateway.clock import FrozenClock, SeededRandomness
from gateway.sandbox.annuaire import KEY, AnnuaireService

BASE = "https://localhost:20444/fhir/v2"
NOW = dt.datetime(2026, 11, 22, tzinfo=dt.UTC)
EVERYBODY = [("name", "test"), ("_revinclude", "PractitionerRole:practitioner"), ("_count", "20")]


def body(path: str, params: list[tuple[str, str]]) -> bytes:
    service = AnnuaireService(FrozenClock(NOW), SeededRandomness("annuaire"))
    return service.answer(BASE, path, params, KEY).body


@pytest.mark.parametrize(
    ("path", "params"), [("Practitioner", EVERYBODY), ("Organization", [("active", "true")])], ids=["people", "places"]
)
def test_what_the_sandbox_answers_is_fr_core(
    fhircheck: Callable[..., list[dict[str, Any]]], path: str, params: list[tuple[str, str]]
) -> None:
    assert len(json.loads(body(path, params))["entry"]) >= 4
    assert fhircheck(body(path, params)) == []


def test_a_practitioner_that_is_not_fr_core_is_seen(fhircheck: Callable[..., list[dict[str, Any]]]) -> None:
    bundle = json.loads(body("Practitioner", EVERYBODY))
    bundle["entry"][0]["resource"]["telecom"][0]["system"] = "pigeon"
    [issue] = fhircheck(json.dumps(bundle).encode())
    assert issue["rule"] == "fr-core-contact-point"
