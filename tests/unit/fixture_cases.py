"""The fixture cases, read and built once, for the tests that walk over all of them."""

from __future__ import annotations

import importlib.util
import sys
from functools import cache
from pathlib import Path
from types import ModuleType

from gateway import pipeline
from gateway.clock import SeededRandomness
from gateway.records.submission import Submission, parse

FIXTURES = Path(__file__).resolve().parents[2] / "fixtures"
CASES = sorted((FIXTURES / "cases").glob("*.json"))
NAMES = [path.stem for path in CASES]


@cache
def builder() -> ModuleType:
    """fixtures/build.py, the script that rebuilds everything derived."""
    spec = importlib.util.spec_from_file_location("fixtures_build", FIXTURES / "build.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@cache
def submission(name: str) -> Submission:
    read, faults = parse((FIXTURES / "cases" / f"{name}.json").read_bytes())
    assert read is not None, faults
    return read


@cache
def prepared(name: str) -> pipeline.Prepared:
    """The whole road walked for a case, with frozen clock and seeded identifiers."""
    build = builder()
    case = submission(name)
    ids = SeededRandomness(name)
    return pipeline.prepare(case, build.account_of(case), build.world(), now=build.FROZEN, ids=ids, keys=None)
