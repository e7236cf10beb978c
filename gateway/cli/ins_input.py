"""How commands learn whom they are about: from a file, from standard input, or asked at the keyboard.

Never from an argument: those of a running program are there for every user of the machine to see, and a shell keeps
them in its history. tests/security/test_secrets.py holds every command to it.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gateway.cli.common import read_input

if TYPE_CHECKING:
    from gateway.records.people import Patient

StdinOption = Annotated[
    bool, typer.Option("--matricule-from-stdin", help="Lire le matricule INS sur l'entrée standard.")
]
MatriculeFileOption = Annotated[
    Path | None, typer.Option("--matricule-from-file", help="Fichier qui contient le matricule INS, seul.")
]


def given_matricule(from_stdin: bool, file: Path | None) -> str | None:
    """The matricule of these options, without the spaces that people write between its groups; None: not given."""
    if from_stdin and file is not None:
        raise typer.BadParameter("donner --matricule-from-stdin ou --matricule-from-file, pas les deux")
    if not from_stdin and file is None:
        return None
    return _together(read_input(file or Path("-")).decode("ascii", errors="replace"))


def needed_matricule(from_stdin: bool, file: Path | None) -> str:
    """The same, asked for where no option says where it stands."""
    return given_matricule(from_stdin, file) or _together(_asked("Matricule INS"))


def _together(text: str) -> str:
    return "".join(text.split()).upper()


def read_patient(file: Path, status: str | None = None) -> Patient:
    """The patient of a submission, or a patient alone as submissions have it.

    `status` is that of a patient alone who says none. Raises InputError with the findings, ConfigError when the file
    cannot be read.
    """
    from gateway.errors import InputError
    from gateway.records.level1 import parse_any
    from gateway.records.people import Patient
    from gateway.records.submission import parse_as

    data = read_input(file)
    if _is_patient(data):
        alone, findings = parse_as(Patient, data)
        if alone is None:
            raise InputError(findings)
        said = status is None or "identity_status" in alone.model_fields_set
        return alone if said else _checked(alone.model_dump() | {"identity_status": status})
    parsed, findings = parse_any(data)
    if parsed is None:
        raise InputError(findings)
    return parsed.patient


def _is_patient(data: bytes) -> bool:
    try:
        value = json.loads(data)
    except (ValueError, RecursionError):
        return False  # told by who reads it as a submission
    return isinstance(value, dict) and not {"format", "patient"} & value.keys()


def asked_patient(status: str, oid: str | None = None) -> Patient:
    """A patient, trait by trait, from the keyboard or from the lines of standard input; with `oid` his matricule too.

    Raises InputError (INS-044): an answer that is not what it must be.
    """
    matricule = _together(_asked("Matricule INS")) if oid is not None else ""
    family = _asked("Nom de naissance")
    given = [one.strip() for one in _asked("Prénoms de naissance, dans l'ordre (virgules entre eux)").split(",")]
    values: dict[str, Any] = {
        "identity_status": status,
        "birth_family": family or None,
        "birth_given": [one for one in given if one],
        "first_birth_given": given[0] or None,
        "sex": _asked("Sexe (F ou M)").upper() or None,
        "birth_date": _asked("Date de naissance (AAAA-MM-JJ)") or None,
        "birth_place_cog": _asked("Lieu de naissance, code officiel géographique (Entrée : inconnu)") or None,
        "ins": {"matricule": matricule, "oid": oid} if matricule else None,
    }
    return _checked(values)


def _asked(question: str) -> str:
    return str(typer.prompt(question, default="", show_default=False, err=True)).strip()


def _checked(values: dict[str, Any]) -> Patient:
    from gateway.errors import InputError
    from gateway.findings import error
    from gateway.records.people import Patient

    try:
        return Patient.model_validate(values)
    except ValueError as fault:
        places = sorted({str(one["loc"][0]) for one in getattr(fault, "errors", list)()})
        advice = "Attendu : sexe F ou M, date AAAA-MM-JJ, lieu en 5 caractères, --status PROV, RECUP, VALI ou QUAL."
        raise InputError([error("INS-044", f"/{place}", "Réponse mal formée.", advice) for place in places]) from fault
