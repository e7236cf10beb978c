"""`ins`: ask about an INS, and see what a wrong one stopped."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gateway.cli import ins_datamatrix
from gateway.cli.common import ByOption, ConfigOption, JsonOption, open_gateway, operator
from gateway.cli.ins_input import MatriculeFileOption, StdinOption, asked_patient, needed_matricule, read_patient
from gateway.cli.output import ATTENTION, print_findings, print_json, print_table, say, tell

if TYPE_CHECKING:
    from gateway.api.ins_results import InsFound, InsVerified

app = typer.Typer(help="INS : contrôler, chercher, vérifier, Datamatrix.", no_args_is_help=True)
app.add_typer(ins_datamatrix.app, name="datamatrix")

FileOption = Annotated[
    Path | None, typer.Option("--file", help="Document JSON dont prendre le patient, ou patient seul (- : entrée).")
]
AccountOption = Annotated[str | None, typer.Option("--account", help="Compte qui interroge INSi.")]
StatusOption = Annotated[str, typer.Option("--status", help="Statut actuel : PROV, RECUP, VALI ou QUAL.")]
OidOption = Annotated[str, typer.Option("--oid", help="OID du matricule.")]

TEST_OID = "1.2.250.1.213.1.4.10"


@app.command("check")
def check(
    file: FileOption = None,
    matricule_from_stdin: StdinOption = False,
    matricule_from_file: MatriculeFileOption = None,
    oid: OidOption = TEST_OID,
    production: Annotated[bool, typer.Option("--production", help="Règles d'un compte de production.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Contrôle un matricule (demandé au clavier, sauf option) ou l'identité d'un document ; n'interroge personne."""
    from gateway.api import Gateway
    from gateway.settings import Environment

    office = Gateway.preview().ins
    world = Environment.PRODUCTION if production else None
    if file is not None:
        found = office.check(read_patient(file), world or Environment.TEST)
    else:
        found = office.check_matricule(needed_matricule(matricule_from_stdin, matricule_from_file), oid, world)
    if as_json:
        print_json(found.as_dict())
    else:
        _facts(found.facts, found.may_leave if file is not None else None)
        print_findings(f.as_dict() for f in found.findings)
    raise typer.Exit(0 if found.ok else ATTENTION)


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
def search(
    file: FileOption = None,
    status: StatusOption = "PROV",
    account: AccountOption = None,
    by: ByOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Cherche l'INS d'une personne auprès d'INSi, par ses traits de naissance : demandés un à un sans --file."""
    patient = read_patient(file, status) if file else asked_patient(status)
    with open_gateway(config) as gateway:
        found = gateway.ins.search(patient, by=operator(by), account=account)
    if as_json:
        print_json(found.as_dict())
    else:
        _found(found)
    raise typer.Exit(0 if found.ok else ATTENTION)


@app.command("verify")
def verify(
    file: Annotated[
        Path | None, typer.Argument(metavar="FICHIER", help="Document JSON, ou patient seul (- : entrée).")
    ] = None,
    oid: OidOption = TEST_OID,
    status: StatusOption = "QUAL",
    account: AccountOption = None,
    by: ByOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Vérifie un INS auprès d'INSi. S'il n'est plus bon, les envois de ce patient sont retenus.

    Sans FICHIER, matricule et traits sont demandés un à un.
    """
    patient = asked_patient(status, oid) if file is None else read_patient(file, status)
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
        tell(f"statut : {moved.before} -> {moved.after}")
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
    matricule_from_stdin: StdinOption = False,
    matricule_from_file: MatriculeFileOption = None,
    release: Annotated[
        bool, typer.Option("--release", help="Laisser partir ce qui était retenu, avec l'INS d'alors.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Ne pas demander de confirmation.")] = False,
    by: ByOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Lève l'arrêt des envois d'un patient, dont le matricule est demandé au clavier, sauf option."""
    text = needed_matricule(matricule_from_stdin, matricule_from_file)
    if release and not yes:
        typer.confirm("Les envois retenus partiront avec l'INS écrit alors. Continuer ?", abort=True, err=True)
    with open_gateway(config) as gateway:
        released = gateway.ins.resume(text, by=operator(by), release=release)
    if as_json:
        print_json({"released": list(released)})
    else:
        tell(f"Arrêt levé ; {len(released)} envois libérés.")


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
    tell(f"statut : {found.before} -> {found.after}")


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
    tell(_VERDICTS[found.verdict])
    print_findings(f.as_dict() for f in found.findings)
    if found.held:
        print_table(("envois retenus",), [(one,) for one in found.held])
    if found.gone:
        rows = [
            (one["delivery"], one["document"], one["destination"], one["transport"], one["changed_at"])
            for one in found.gone
        ]
        print_table(("envoi", "document", "destination", "transport", "le"), rows, title="déjà partis sous cet INS")
