"""`ins`: ask about an INS, and see what a wrong one stopped."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gateway.cli import ins_datamatrix
from gateway.cli.common import ByOption, ConfigOption, JsonOption, open_gateway, operator, read_input
from gateway.cli.ins_input import read_patient, typed_patient
from gateway.cli.output import ATTENTION, print_findings, print_json, print_table, say

if TYPE_CHECKING:
    from gateway.api.ins_results import InsFound, InsVerified

app = typer.Typer(help="INS : contrôler, chercher, vérifier, Datamatrix.", no_args_is_help=True)
app.add_typer(ins_datamatrix.app, name="datamatrix")

FileOption = Annotated[Path | None, typer.Option("--file", help="Document JSON dont prendre le patient (- : entrée).")]
AccountOption = Annotated[str | None, typer.Option("--account", help="Compte qui interroge INSi.")]
NameOption = Annotated[str | None, typer.Option("--name", help="Nom de naissance.")]
GivenOption = Annotated[
    list[str] | None, typer.Option("--first-name", help="Prénom de naissance, répétable, dans l'ordre.")
]
SexOption = Annotated[str | None, typer.Option("--sex", help="F ou M.")]
BornOption = Annotated[str | None, typer.Option("--birth-date", help="AAAA-MM-JJ.")]
PlaceOption = Annotated[str | None, typer.Option("--place", help="Lieu de naissance : code officiel géographique.")]
StatusOption = Annotated[str, typer.Option("--status", help="Statut actuel : PROV, RECUP, VALI ou QUAL.")]
OidOption = Annotated[str, typer.Option("--oid", help="OID du matricule.")]

TEST_OID = "1.2.250.1.213.1.4.10"


@app.command("check")
def check(
    matricule: Annotated[str | None, typer.Argument(metavar="MATRICULE", help="15 caractères (- : entrée).")] = None,
    oid: OidOption = TEST_OID,
    file: FileOption = None,
    production: Annotated[bool, typer.Option("--production", help="Règles d'un compte de production.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Contrôle un matricule, ou l'identité d'un document, sans interroger personne."""
    from gateway.api import Gateway
    from gateway.settings import Environment

    office = Gateway.preview().ins
    world = Environment.PRODUCTION if production else None
    if file is not None:
        found = office.check(read_patient(file), world or Environment.TEST)
    elif matricule:
        found = office.check_matricule(_typed(matricule), oid, world)
    else:
        raise typer.BadParameter("donner un MATRICULE ou --file")
    if as_json:
        print_json(found.as_dict())
    else:
        _facts(found.facts, found.may_leave if file is not None else None)
        print_findings(f.as_dict() for f in found.findings)
    raise typer.Exit(0 if found.ok else ATTENTION)


def _typed(matricule: str) -> str:
    """The matricule without the spaces that people write between its groups; `-` reads it from standard input."""
    text = read_input(Path("-")).decode("utf-8", "replace") if matricule == "-" else matricule
    return "".join(text.split()).upper()


def _facts(facts: Any, may_leave: bool | None) -> None:
    words = {
        "status": "statut",
        "may_call_insi": "INSi peut être appelé",
        "shape": "forme du matricule",
        "oid": "OID",
        "environment": "monde",
        "key": "clé écrite",
        "expected_key": "clé attendue",
        "key_holds": "clé juste",
    }
    said = {True: "oui", False: "non", None: "inconnu"}
    rows = [(words[key], said.get(value, value)) for key, value in facts.items() if key in words]
    if may_leave is not None:
        rows.append(("l'INS peut partir", said[may_leave]))
    print_table(("contrôle", "résultat"), rows)
    if "next" in facts:
        print_table(("événement", "statut ensuite"), list(facts["next"].items()))


@app.command("search")
def search(  # noqa: PLR0913, PLR0917 (options of a command)
    file: FileOption = None,
    name: NameOption = None,
    first_name: GivenOption = None,
    sex: SexOption = None,
    birth_date: BornOption = None,
    place: PlaceOption = None,
    status: StatusOption = "PROV",
    account: AccountOption = None,
    by: ByOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Cherche l'INS d'une personne auprès d'INSi, par ses traits de naissance."""
    patient = read_patient(file) if file else typed_patient(name, first_name, sex, birth_date, place, status)
    with open_gateway(config) as gateway:
        found = gateway.ins.search(patient, by=operator(by), account=account)
    if as_json:
        print_json(found.as_dict())
    else:
        _found(found)
    raise typer.Exit(0 if found.ok else ATTENTION)


@app.command("verify")
def verify(  # noqa: PLR0913, PLR0917 (options of a command)
    file: Annotated[Path | None, typer.Argument(metavar="FICHIER", help="Document JSON (- : entrée).")] = None,
    matricule: Annotated[str | None, typer.Option("--matricule", help="Matricule à vérifier.")] = None,
    oid: OidOption = TEST_OID,
    name: NameOption = None,
    first_name: GivenOption = None,
    sex: SexOption = None,
    birth_date: BornOption = None,
    place: PlaceOption = None,
    status: StatusOption = "QUAL",
    account: AccountOption = None,
    by: ByOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Vérifie un INS auprès d'INSi. S'il n'est plus bon, les envois de ce patient sont retenus."""
    from gateway.records.people import Ins

    if file is not None:
        patient = read_patient(file)
    else:
        patient = typed_patient(name, first_name, sex, birth_date, place, status)
        if matricule:
            patient = patient.model_copy(update={"ins": Ins(matricule=_typed(matricule), oid=oid)})
    with open_gateway(config) as gateway:
        found = gateway.ins.verify(patient, by=operator(by), account=account)
    if as_json:
        print_json(found.as_dict())
    else:
        _verified(found)
    raise typer.Exit(0 if found.ok else ATTENTION)


@app.command("prove")
def prove(
    file: Annotated[Path, typer.Argument(metavar="FICHIER", help="Document JSON (- : entrée).")],
    proof: Annotated[str, typer.Option("--proof", help="Pièce vue : PA, CN, AN ou LE.")],
    account: Annotated[str, typer.Option("--account", help="Compte.")],
    by: ByOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Note au journal qu'une personne a contrôlé une pièce d'identité, et donne le statut qui suit."""
    with open_gateway(config) as gateway:
        moved = gateway.ins.prove(account, read_patient(file), proof=proof, by=operator(by))
    if as_json:
        print_json(moved.as_dict())
    else:
        print(f"statut : {moved.before} -> {moved.after}")
        print_findings(f.as_dict() for f in moved.findings)
    raise typer.Exit(ATTENTION if moved.findings else 0)


@app.command("stops")
def stops(config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """Liste les patients dont l'INS a été refusé ou a changé, et dont rien ne part."""
    with open_gateway(config) as gateway:
        found = gateway.ins.stops()
    if as_json:
        print_json([one.as_dict() for one in found])
        return
    print_table(
        ("compte", "patient (pseudonyme)", "motif", "par", "depuis", "que faire"),
        [(one.account, one.patient, one.reason, one.by, one.since, one.advice) for one in found],
    )


@app.command("resume")
def resume(
    matricule: Annotated[str, typer.Argument(metavar="MATRICULE", help="INS dont lever l'arrêt (- : entrée).")],
    release: Annotated[
        bool, typer.Option("--release", help="Laisser partir ce qui était retenu, avec l'INS d'alors.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Ne pas demander de confirmation.")] = False,
    by: ByOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Lève l'arrêt des envois d'un patient."""
    text = _typed(matricule)
    if release and not yes:
        typer.confirm("Les envois retenus partiront avec l'INS écrit alors. Continuer ?", abort=True, err=True)
    with open_gateway(config) as gateway:
        released = gateway.ins.resume(text, by=operator(by), release=release)
    if as_json:
        print_json({"released": list(released)})
    else:
        print(f"Arrêt levé ; {len(released)} envois libérés.")


def _found(found: InsFound) -> None:
    print_table(("recherche", "réponse"), [(one["step"], one["answer"]) for one in found.asked])
    if found.ins:
        rows = [("INS", *_number(found.ins)), *(("ancien", *_number(one)) for one in found.history)]
        print_table(("", "matricule", "OID", "du", "au"), rows)
    if found.traits:
        rows_of_traits = [
            (key, value, "diffère" if key in found.differing else "") for key, value in found.traits.items()
        ]
        print_table(("trait", "INSi", ""), rows_of_traits)
    if found.text:
        say(f"réponse du service : {found.text}")
    print_findings(f.as_dict() for f in found.findings)
    print(f"statut : {found.before} -> {found.after}")


def _number(number: Any) -> tuple[str, str, str, str]:
    return number["matricule"], number["oid"], number.get("begin", ""), number.get("end", "")


_VERDICTS = {
    "confirmed": "INS confirmé.",
    "none": "INS refusé : INSi ne trouve plus personne.",
    "several": "INS refusé : INSi trouve plusieurs personnes.",
    "changed": "INS changé : cette personne a un autre matricule.",
    "other_traits": "Traits différents de ceux d'INSi.",
    "unknown": "INSi n'a pas répondu : rien n'a été arrêté, vérifier plus tard.",
    "not_asked": "INSi n'a pas été interrogé.",
}


def _verified(found: InsVerified) -> None:
    _found(found.found)
    print(_VERDICTS[found.verdict])
    print_findings(f.as_dict() for f in found.findings)
    if found.held:
        print_table(("envois retenus",), [(one,) for one in found.held])
    if found.gone:
        rows = [
            (one["delivery"], one["document"], one["destination"], one["transport"], one["changed_at"])
            for one in found.gone
        ]
        print_table(("envoi", "document", "destination", "transport", "le"), rows, title="déjà partis sous cet INS")
