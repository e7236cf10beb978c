"""Schemathesis sends the API what its contract allows and what it forbids, on every operation; nothing may break it.

The short form makes a few requests for each operation, and leaves out the walk through every field of a submission;
`SCHEMATHESIS_EXAMPLES=200` is the long form.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import negative_data_rejection, positive_data_acceptance

from gateway.web.tokens import Role
from tests.integration.practice import open_practice
from tests.integration.web.apikit import Api, open_api
from tests.integration.web.test_api_documents import fresh

LONG = "SCHEMATHESIS_EXAMPLES" in os.environ
EXAMPLES = int(os.environ.get("SCHEMATHESIS_EXAMPLES", "3"))
CONTRACT = json.loads((Path(__file__).resolve().parents[3] / "docs" / "openapi.json").read_bytes())
AUDITORS = {"/journal/verification", "/journal/export"}
SUBMISSIONS = ["/check", "/render", "/documents"]
TAKES_ANYTHING = {"/check", "/receipts", "/journal/find"}
"""A report on whatever came, a mail whatever it is, any bytes: there is nothing to refuse."""
ELSEWHERE = {"ANN-304", "ANN-400", "CFG-030", "CFG-013", "DMP-CONNECT"}
"""503 of a service that this practice has not, or that does not run: the answer is right."""


@schemathesis.serializer("application/zip", "message/rfc822", "text/csv")
def raw(_: Any, value: Any) -> bytes:
    """Whatever was generated, as bytes."""
    return value if isinstance(value, bytes) else str(value).encode()


contract = schemathesis.openapi.from_dict(CONTRACT)
submissions = schemathesis.openapi.from_dict(CONTRACT)
if not LONG:
    submissions.config.phases.update(phases=["fuzzing"])


@pytest.fixture(scope="module")
def attacked(tmp_path_factory: pytest.TempPathFactory, certificates: Path) -> Iterator[tuple[Api, str]]:
    practice = open_practice(tmp_path_factory.mktemp("attacked"), certificates=certificates)
    api = open_api(practice, fresh()["account"])
    with api.client() as client:
        client.post("/documents", json=fresh())
    with api.served() as address:
        yield api, address
    api.gateway.close()
    practice.box.close()


def attack(case: Any, attacked: tuple[Api, str]) -> None:
    api, address = attacked
    role = Role.AUDITOR if case.operation.path in AUDITORS else Role.VENDOR
    headers = {"Authorization": f"Bearer {api.token(role)}"}
    answer = case.call(base_url=address, headers=headers)
    # Rules that no schema tells (a matricule's key, a state that forbids an order) answer 422 or 409.
    excluded = [positive_data_acceptance]
    if case.operation.path in TAKES_ANYTHING:
        excluded.append(negative_data_rejection)
    if answer.status_code == 503 and answer.json()["code"] in ELSEWHERE:
        excluded.append(not_a_server_error)
    case.validate_response(answer, excluded_checks=excluded, headers=headers)


quick = settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))


@contract.exclude(path=SUBMISSIONS).parametrize()
@quick
def test_nothing_breaks_it(case: Any, attacked: tuple[Api, str]) -> None:
    attack(case, attacked)


@submissions.include(path=SUBMISSIONS).parametrize()
@quick
def test_no_submission_breaks_it(case: Any, attacked: tuple[Api, str]) -> None:
    attack(case, attacked)
