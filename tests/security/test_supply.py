"""What a release is made of: every part locked by hash, with a licence that may be shipped, listed for whoever asks."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import cyclonedx.schema
import jsonschema
import pytest
from referencing import Registry, Resource

from tests.tools import sbom

ROOT = Path(__file__).resolve().parents[2]
ALLOWED = {
    "Apache-2.0",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "ISC",
    "MIT",
    "MIT-0",
    "MPL-2.0",
    "PSF-2.0",
    "Unlicense",
}
"""Licences that allow to ship the part with the product, changed or not, without opening anything else."""


@pytest.fixture(scope="module")
def listed() -> dict[str, Any]:
    return sbom.sbom()


def test_the_list_follows_the_schema_of_cyclonedx(listed: dict[str, Any]) -> None:
    folder = Path(cyclonedx.schema.__path__[0]) / "_res"
    names = {"bom-1.6": "bom-1.6.SNAPSHOT", "spdx": "spdx.SNAPSHOT", "jsf-0.82": "jsf-0.82.SNAPSHOT"}
    schemas = {name: json.loads((folder / f"{file}.schema.json").read_bytes()) for name, file in names.items()}
    at_ = ("", "http://cyclonedx.org/schema/")  # how the schemas name each other, before and after resolution
    registry: Registry[Any] = Registry().with_resources(
        [
            (f"{at}{names[name]}.schema.json", Resource.from_contents(schema))
            for name, schema in schemas.items()
            for at in at_
        ]
    )
    jsonschema.Draft7Validator(schemas["bom-1.6"], registry=registry).validate(listed)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.Draft7Validator(schemas["bom-1.6"], registry=registry).validate({**listed, "components": [{}]})


def test_the_list_holds_each_part_of_the_lock_with_each_hash(listed: dict[str, Any]) -> None:
    text = (ROOT / "requirements.lock").read_text()
    pinned = set(re.findall(r"^([a-z0-9.-]+)==(\S+)", text, re.MULTILINE))
    assert {(one["name"], one["version"]) for one in listed["components"]} == pinned
    hashes = sorted(h["content"] for one in listed["components"] for file in one["components"] for h in file["hashes"])
    assert hashes == sorted(re.findall(r"sha256:([0-9a-f]{64})", text))


def test_the_list_names_no_place_to_download_from(listed: dict[str, Any]) -> None:
    assert "://" not in json.dumps(listed).replace("urn:uuid", "")


def test_the_list_is_the_same_each_time(listed: dict[str, Any]) -> None:
    assert sbom.sbom() == listed


def test_every_licence_may_be_shipped(listed: dict[str, Any]) -> None:
    for part in listed["components"]:
        if "licenses" not in part:
            # Only for another system than this one: not installed, so it cannot be asked here.
            assert "properties" in part, f"{part['name']} declares no licence"
            continue
        [said] = part["licenses"]
        expression = said.get("expression") or said["license"]["id"]
        choices = [set(choice.split(" AND ")) for choice in expression.split(" OR ")]
        assert any(choice <= ALLOWED for choice in choices), f"{part['name']}: {expression}"


def test_the_fuzzer_is_locked_like_the_rest() -> None:
    text = (ROOT / "requirements-fuzz.lock").read_text()
    assert re.findall(r"^([a-z0-9-]+)==", text, re.MULTILINE) == ["atheris"]
    assert len(re.findall(r"--hash=sha256:[0-9a-f]{64}", text)) >= 1
    assert "://" not in text
