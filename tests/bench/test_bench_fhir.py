"""FHIR rendering against the least it could do: validate the same dict once with the models, and json.dumps it."""

from __future__ import annotations

import json
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any

import pytest

from gateway import terminology
from gateway.render.fhir import build, render
from tests.unit.render_samples import assessment

BUDGET = 2.0
ROUNDS = 60


def milliseconds(work: Callable[[], object]) -> float:
    start = perf_counter()
    work()
    return (perf_counter() - start) * 1000


def plain(value: Any) -> Any:
    """The same dict with floats: what json.dumps can write, digits aside."""
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [plain(item) for item in value]
    return float(value) if isinstance(value, Decimal) else value


@pytest.mark.bench
def test_fhir_rendering_costs_little_more_than_its_validation(root: Path) -> None:
    from fhir.resources.R4B.bundle import Bundle

    document, terms = assessment(), terminology.load()
    bundle = build(document, terms)
    floats = plain(bundle)

    def floor() -> object:
        Bundle.model_validate(bundle)
        return json.dumps(floats)

    def ours() -> object:
        return render(document, terms)

    for work in (floor, ours, floor, ours):
        work()
    # Taken in turns, so that what else the machine does weighs on both.
    pairs = [(milliseconds(floor), milliseconds(ours)) for _ in range(ROUNDS)]
    least, spent = median(pair[0] for pair in pairs), median(pair[1] for pair in pairs)
    result = {
        "floor_ms": round(least, 3),
        "render_ms": round(spent, 3),
        "build_ms": round(median(milliseconds(lambda: build(document, terms)) for _ in range(ROUNDS)), 3),
        "ratio": round(spent / least, 3),
        "budget": BUDGET,
        "resources": len(bundle["entry"]),
        "bytes": len(render(document, terms)),
    }
    write(root, "fhir", result)
    assert result["ratio"] <= BUDGET


def write(root: Path, name: str, result: dict[str, Any]) -> None:
    folder = root / "build" / "bench"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.json").write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    print(name, result)
