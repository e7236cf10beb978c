"""`patient`: destinations that a patient objects to, recorded after the fact; his rights in `patient_rights`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gateway.cli import patient_rights
from gateway.cli.common import ByOption, ConfigOption, JsonOption, open_gateway, operator, read_input
from gateway.cli.output import print_json, print_table, say

if TYPE_CHECKING:
    from gateway.records.level1 import AnySubmission
    from gateway.views import DeliveryView

app = typer.Typer(help="Oppositions d'un patient, copie de ses données, effacement.", no_args_is_help=True)
patient_rights.register(app)
OfOption = Annotated[str | None, typer.Option("--of", help="Un document de ce patient (son identifiant).")]
FileOption = Annotated[Path | None, typer.Option("--file", help="Document JSON dont prendre le patient (- : entrée).")]
ToOption = Annotated[
    str, typer.Option("--to", help="patient (Mon espace santé), medecin_traitant, professional, dmp, ou une adresse.")
]


@app.command("oppose")
def oppose(
    to: ToOption,
    of: OfOption = None,
    file: FileOption = None,
    by: ByOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Enregistre l'opposition d'un patient : ce qui attend ne part plus, la suite non plus."""
    _no_matricule(to)
    with open_gateway(config) as gateway:
        found = gateway.oppositions.oppose(_patient(of, file), to, by=operator(by))
    if as_json:
        print_json(found.as_dict())
        return
    say("Opposition enregistrée." if found.new else "Cette opposition était déjà enregistrée.")
    _show("arrêtés", found.stopped)
    _show("déjà partis", found.gone)
    if found.gone:
        say("Ce qui est parti ne peut pas être rappelé ; pour l'annuler : kine-gateway withdraw.")


def _no_matricule(to: str) -> None:
    """The address of a patient's own mailbox is his matricule, which is no argument."""
    from gateway.identity.matricule import PATIENT_DOMAIN

    if to.strip().lower().endswith(f"@{PATIENT_DOMAIN}"):
        raise typer.BadParameter("pour la boîte du patient (Mon espace santé), écrire --to patient")


@app.command("unoppose")
def unoppose(
    to: ToOption,
    of: OfOption = None,
    file: FileOption = None,
    release: Annotated[bool, typer.Option("--release", help="Laisser partir ce que l'opposition a arrêté.")] = False,
    by: ByOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Lève une opposition. Ce qu'elle a arrêté reste arrêté, sauf --release."""
    _no_matricule(to)
    with open_gateway(config) as gateway:
        released = gateway.oppositions.unoppose(_patient(of, file), to, by=operator(by), release=release)
    if as_json:
        print_json({"released": [one.as_dict() for one in released]})
        return
    say(f"Opposition levée ; {len(released)} envoi(s) repartent.")


@app.command("list")
def list_(
    of: OfOption = None, file: FileOption = None, config: ConfigOption = None, as_json: JsonOption = False
) -> None:
    """Liste les oppositions enregistrées, d'un patient ou de tous."""
    with open_gateway(config) as gateway:
        found = gateway.oppositions.list(_patient(of, file) if of or file else None)
    if as_json:
        print_json([one.as_dict() for one in found])
        return
    head = ("compte", "patient (pseudonyme)", "s'oppose à", "noté par", "depuis")
    print_table(head, [(one.account, one.patient, one.label, one.by, one.since) for one in found])


def _patient(of: str | None, file: Path | None) -> str | AnySubmission:
    """Raises InputError with the findings of a file that cannot be read."""
    from gateway.errors import InputError
    from gateway.records.level1 import parse_any

    if (of is None) == (file is None):
        raise typer.BadParameter("Donner --of DOCUMENT ou --file FICHIER (l'un des deux).")
    if file is None:
        return of or ""
    parsed, findings = parse_any(read_input(file))
    if parsed is None:
        raise InputError(findings)
    return parsed


def _show(title: str, found: tuple[DeliveryView, ...]) -> None:
    from gateway import wording

    if found:
        rows = [(one.id, one.document_id, one.label, wording.transport(one.transport)) for one in found]
        print_table(("envoi", "document", "destination", "transport"), rows, title=title)
