from __future__ import annotations

import base64
import json
from dataclasses import replace

import pytest

from gateway import pipeline
from gateway.settings import FhirSettings
from tests.unit.fixture_cases import NAMES, builder, prepared


@pytest.mark.parametrize("with_pdf", [False, True])
def test_the_settings_decide_what_a_fhir_document_holds(with_pdf: bool) -> None:
    document = prepared(NAMES[0]).document
    world = replace(builder().world(), fhir=FhirSettings(with_pdf=with_pdf, document_core=with_pdf))
    rendered, _ = pipeline.render(document, world)
    bundle = json.loads(rendered["fhir"])
    held = [one["resource"] for one in bundle["entry"] if one["resource"]["resourceType"] == "Binary"]
    assert [base64.b64decode(one["data"]) for one in held] == ([rendered["pdf"]] if with_pdf else [])
    assert ("profile" in bundle["meta"]) is with_pdf
