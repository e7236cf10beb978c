"""docs/openapi.json is the contract that is served, and a contract that vendors can rely on."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from tests.tools import openapi_page

CONTRACT: dict[str, Any] = json.loads((Path(__file__).resolve().parents[2] / "docs" / "openapi.json").read_bytes())
METHODS = [(path, name, operation) for path, item in CONTRACT["paths"].items() for name, operation in item.items()]


def test_the_committed_contract_is_the_one_that_is_served() -> None:
    assert json.loads(openapi_page.written()) == CONTRACT, (
        "python -m tests.tools.openapi_page > docs/openapi.json (and raise contract.VERSION when its meaning changes)"
    )


def test_every_schema_is_a_json_schema() -> None:
    jsonschema.Draft202012Validator.check_schema(CONTRACT["components"]["schemas"])
    for schema in CONTRACT["components"]["schemas"].values():
        jsonschema.Draft202012Validator.check_schema(schema)


def test_every_operation_has_a_name_of_its_own_and_words() -> None:
    names = [operation["operationId"] for _, _, operation in METHODS]
    assert len(names) == len(set(names)) >= 50
    assert all(operation["summary"] and operation["tags"] for _, _, operation in METHODS)


@pytest.mark.parametrize(("path", "name", "operation"), METHODS, ids=[f"{name} {path}" for path, name, _ in METHODS])
def test_every_operation_but_health_needs_a_token_and_answers_with_problems(
    path: str, name: str, operation: dict[str, Any]
) -> None:
    if path == "/health":
        assert "security" not in operation
        return
    assert operation["security"] == [{"token": []}]
    told = operation["responses"]
    assert {"401", "403", "413", "422", "429", "500", "503"} <= told.keys()
    assert all(list(told[code]["content"]) == ["application/problem+json"] for code in told if code[0] in "45")


def test_no_address_can_hold_an_identity() -> None:
    """What stands in a path or a query is an id of ours, a state, a time or a cursor."""
    allowed = {
        "document_id", "delivery_id", "name", "change", "account", "state", "receipt", "destination", "document",
        "since", "until", "attention", "after", "limit", "updated_since", "Idempotency-Key",
        "episode", "missing", "period",
    }  # fmt: skip
    found = {one["name"] for _, _, operation in METHODS for one in operation.get("parameters", [])}
    assert found == allowed
