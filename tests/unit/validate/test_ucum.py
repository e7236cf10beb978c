from __future__ import annotations

import csv

import pytest

from gateway import resources
from gateway.validate.ucum import is_unit

GOOD = (
    "%", "deg", "kg", "g", "cm", "mm", "m", "km", "s", "min", "h", "d", "wk", "mo", "a", "/min", "{score}",
    "{#}/(30.s)",
    "m/s", "kg/m2", "mm[Hg]", "cm[H2O]", "L/min", "mL/min/{1.73_m2}", "Cel", "[degF]", "10*3/uL", "N.m", "kg.m/s2",
    "m.s-1",
    "{pack}/a", "g/L", "[lb_av]", "mmol/L", "1", "kgf", "W/kg", "mL/(kg.min)", "cm{circumference}",
)  # fmt: skip
BAD = (
    "", " ", "degrés", "°", "kilo", "KG", "Kg", "mmHg", "cm ", " cm", "m//s", "m/", "/", ".", "code", "score", "{score",
    "score}", "()", "(m", "m)", "m2m", "2m", "sec", "é", "{é}", "((((((((((m))))))))))", "cm\n", "%kg", "kdeg",
)  # fmt: skip


@pytest.mark.parametrize("unit", GOOD)
def test_units(unit: str) -> None:
    assert is_unit(unit)


@pytest.mark.parametrize("unit", BAD)
def test_what_is_no_unit(unit: str) -> None:
    assert not is_unit(unit)


def test_every_unit_of_the_measure_catalogue_is_one() -> None:
    rows = list(csv.DictReader(resources.read_text("mappings", "measures.csv").splitlines()))
    assert len(rows) > 50
    assert {row["ucum"] for row in rows if row["ucum"] and not is_unit(row["ucum"])} == set()
