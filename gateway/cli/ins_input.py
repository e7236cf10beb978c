"""A patient for the `ins` commands: taken from a file, or from options."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gateway.cli.common import read_input

if TYPE_CHECKING:
    from gateway.records.people import Patient


def read_patient(file: Path) -> Patient:
    """The patient of a submission. Raises InputError with the findings, ConfigError when it cannot be read."""
    from gateway.errors import InputError
    from gateway.records.level1 import parse_any

    parsed, findings = parse_any(read_input(file))
    if parsed is None:
        raise InputError(findings)
    return parsed.patient


def typed_patient(
    name: str | None, given: list[str] | None, sex: str | None, born: str | None, place: str | None, status: str
) -> Patient:
    """A patient from options. Raises InputError (INS-044): an option that is not what it must be."""
    from gateway.errors import InputError
    from gateway.findings import error
    from gateway.records.people import Patient

    values: dict[str, Any] = {
        "identity_status": status,
        "birth_family": name,
        "birth_given": given or [],
        "first_birth_given": given[0] if given else None,
        "sex": sex,
        "birth_date": None if born is None else _day(born),
        "birth_place_cog": place,
    }
    try:
        return Patient.model_validate(values)
    except ValueError as fault:
        places = sorted({str(one["loc"][0]) for one in getattr(fault, "errors", list)()})
        advice = (
            "Attendu : --sex F ou M, --birth-date AAAA-MM-JJ, --place 5 caractères, --status PROV, RECUP, VALI, QUAL."
        )
        raise InputError([error("INS-044", f"/{place}", "Option mal formée.", advice) for place in places]) from fault


def _day(text: str) -> date | str:
    try:
        return date.fromisoformat(text)
    except ValueError:
        return text  # refused with the others
