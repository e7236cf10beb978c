"""The closed list of converters, one by one."""

from __future__ import annotations

import pytest

from gateway.mapping.convert import RefusedError, converted

TABLES = {"t": {"A": {"to": "1", "f": "10", "g": ""}, "B": {"to": "", "f": "0.1", "g": "x"}}}


@pytest.mark.parametrize(
    ("text", "steps", "value"),
    [
        ("  a ", ("trim",), "a"),
        ("é", ("upper",), "É"),
        ("Élodie", ("plain",), "ELODIE"),
        ("A@B", ("lower",), "a@b"),
        ("2 01.03-22", ("digits",), "2010322"),
        ("+33 (0)6 12", ("phone",), "0612"),
        ("0033612345678", ("phone",), "0612345678"),
        ("+41 22 000", ("phone",), "+4122000"),
        ("1 234,50", ("number",), "1234.50"),
        ("-3", ("number",), "-3"),
        ("+12", ("integer",), 12),
        ("Oui", ("boolean",), True),
        ("N", ("boolean",), False),
        ("femme", ("sex",), "F"),
        ("1", ("sex",), "M"),
        ("05/01/2026", ("date:%d/%m/%Y",), "2026-01-05"),
        ("05/07/2026 14h30", ("datetime:%d/%m/%Y %Hh%M",), "2026-07-05T14:30:00+02:00"),
        ("5,5", ("unit:cm->mm",), "55"),
        ("55", ("unit:mm->cm",), "5.5"),
        ("1,5", ("unit:min->s",), "90"),
        ("a| b |", ("split:|",), ["a", "b"]),
        ("a|b", ("split:|", "upper"), ["A", "B"]),
        ("A", ("lookup:t",), "1"),
        ("B", ("lookup:t",), None),
        ("4,2", ("number", "times:t.f"), "42"),
        ("51,20", ("times:t.g",), "51.20"),
    ],
)
def test_converters(text: str, steps: tuple[str, ...], value: object) -> None:
    assert converted(text, steps, TABLES, key="A") == value


@pytest.mark.parametrize(
    ("text", "step", "known"),
    [
        ("C", "lookup:t", False),
        ("a", "lookup:t", False),
        ("x", "sex", False),
        ("12,5,3", "number", True),
        ("1e9", "number", True),
        ("NaN", "number", True),
        ("1.5", "integer", True),
        ("peut-être", "boolean", True),
        ("32/01/2026", "date:%d/%m/%Y", True),
        ("bureau", "phone", True),
    ],
)
def test_what_they_refuse(text: str, step: str, *, known: bool) -> None:
    with pytest.raises(RefusedError) as refused:
        converted(text, (step,), TABLES)
    assert refused.value.known is known


def test_a_factor_that_is_no_number_is_refused() -> None:
    with pytest.raises(RefusedError):
        converted("1", ("times:t.g",), TABLES, key="B")
