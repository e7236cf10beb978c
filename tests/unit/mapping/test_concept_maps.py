"""What mappings/fhir publishes is FHIR R4, says what it is, and can be read backwards where it says `equivalent`."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from fhir.resources.R4B import get_fhir_model_class

from gateway import resources, terminology

FILES = sorted(resources.data_path("mappings", "fhir").glob("*.json"))
MAPS = [path for path in FILES if path.name.startswith("ConceptMap")]


def read(path: Path) -> dict[str, Any]:
    value: dict[str, Any] = json.loads(path.read_bytes())
    return value


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_it_is_r4_and_says_its_address_and_version(path: Path) -> None:
    value = read(path)
    get_fhir_model_class(value["resourceType"]).model_validate(value)
    assert value["url"]
    assert value["version"] == terminology.load().version
    assert value["status"] == "active"


@pytest.mark.parametrize("path", MAPS, ids=lambda path: path.stem)
def test_a_map_says_from_where_to_where_and_goes_back(path: Path) -> None:
    value = read(path)
    assert value["group"]
    for group in value["group"]:
        assert group["source"]
        assert group["target"]
        assert group["source"] != group["target"]
        sources = [element["code"] for element in group["element"]]
        assert len(set(sources)) == len(sources)
        targets = [target for element in group["element"] for target in element["target"]]
        assert all(target["code"] and target["display"] for target in targets)
        back = Counter(target["code"] for target in targets if target["equivalence"] == "equivalent")
        assert [code for code, times in back.items() if times > 1] == []


def test_there_is_a_map() -> None:
    assert MAPS
