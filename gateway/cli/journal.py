"""`journal`: verify and export the delivery log, prove parts of it, find what was sent."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from gateway.cli.common import ConfigOption, JsonOption, open_gateway, read_input
from gateway.cli.ins_input import MatriculeFileOption, StdinOption, given_matricule
from gateway.cli.output import ATTENTION, print_findings, print_json, print_table, say, tell
from gateway.errors import InputError
from gateway.findings import error

app = typer.Typer(help="Vérifier, exporter et prouver le journal des envois.", no_args_is_help=True)

KeyOption = Annotated[Path | None, typer.Option("--public-key", "--key", help="Clé publique tenue par l'auditeur.")]
NeededKey = Annotated[Path, typer.Option("--public-key", "--key", help="Clé publique tenue par l'auditeur.")]
TsaOption = Annotated[Path | None, typer.Option("--tsa", help="Racines (PEM) de l'autorité d'horodatage reconnue.")]
ToOption = Annotated[Path | None, typer.Option("--to", help="Fichier à écrire (sortie standard sinon).")]


@app.command("verify")
def verify(
    export: Annotated[
        Path | None, typer.Argument(metavar="[EXPORT]", help="Fichier d'export ; sans lui, le stockage en place.")
    ] = None,
    public_key: KeyOption = None,
    checkpoint: Annotated[
        Path | None, typer.Option("--checkpoint", help="Point de contrôle antérieur tenu par l'auditeur.")
    ] = None,
    tsa: TsaOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Recalcule la chaîne, l'arbre et les signatures, et dit ce qui a pu être exclu."""
    if export is not None:
        from gateway.audit.verify import verify_export

        result = verify_export(export, public_key=public_key, checkpoint=checkpoint, tsa=tsa)
    else:
        with open_gateway(config) as gateway:
            result = gateway.journal.verify(public_key=public_key, checkpoint=checkpoint, tsa=tsa)
    if as_json:
        print_json(result.as_dict())
    else:
        tell(result.summary)
    raise typer.Exit(0 if result.ok else ATTENTION)


@app.command("export")
def export(to: ToOption = None, config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """Exporte le journal en lignes JSON, avec la clé publique, les points de contrôle et leurs horodatages."""
    with open_gateway(config) as gateway:
        lines = gateway.journal.export()
        if to is None:
            sys.stdout.writelines(lines)
            return
        with to.open("w", encoding="utf-8", newline="\n") as file:
            number = sum(file.write(line) > 0 for line in lines)
    if as_json:
        print_json({"file": str(to), "lines": number})
    else:
        say(f"{number} lignes écrites dans {to}")


@app.command("prove")
def prove(
    delivery: Annotated[str, typer.Argument(metavar="ENVOI")], to: ToOption = None, config: ConfigOption = None
) -> None:
    """Prouve ce qui a été journalisé d'un envoi, sans montrer les autres. La preuve est en JSON."""
    with open_gateway(config) as gateway:
        _write(gateway.journal.prove(delivery), to)


@app.command("disclose")
def disclose(
    document: Annotated[str, typer.Argument(metavar="DOCUMENT", help="Un document du patient.")],
    to: ToOption = None,
    config: ConfigOption = None,
) -> None:
    """Prouve tout ce qui a été journalisé du patient de ce document, et de personne d'autre."""
    with open_gateway(config) as gateway:
        _write(gateway.journal.disclose(document), to)


@app.command("verify-proof")
def verify_proof(
    file: Annotated[Path, typer.Argument(metavar="PREUVE")],
    public_key: NeededKey,
    matricule_from_stdin: StdinOption = False,
    matricule_from_file: MatriculeFileOption = None,
    as_json: JsonOption = False,
) -> None:
    """Vérifie une preuve (`prove`, `disclose`) avec la seule clé publique, sans stockage ni configuration.

    Avec un matricule INS : et que cette preuve concerne ce patient.
    """
    from gateway.audit import prove as proofs
    from gateway.audit.verify import read_key

    if matricule_from_stdin and str(file) == "-":
        raise typer.BadParameter("la preuve et le matricule ne peuvent pas venir tous deux de l'entrée standard")
    matricule = given_matricule(matricule_from_stdin, matricule_from_file)
    proof, key = _proof(file), read_key(public_key)
    findings = proofs.verify_proof(proof, key)
    if matricule is not None and not findings and not proofs.is_person(proof, key, f"ins|{matricule}"):
        findings = [error("JRN-114", "/statement", "Rien ne montre que cette preuve concerne ce patient.")]
    records = [] if findings else [json.loads(item["record"]) for item in proof["records"]]
    if as_json:
        print_json({"ok": not findings, "findings": [f.as_dict() for f in findings], "records": records})
    elif findings:
        print_findings(f.as_dict() for f in findings)
    else:
        columns = ("at", "event", "delivery", "destination", "state", "receipt", "reason", "reference", "by")
        print_table(columns, [[record.get(name) for name in columns] for record in records])
        tell(f"{len(records)} enregistrements, tous dans le journal signé.")
    raise typer.Exit(ATTENTION if findings else 0)


@app.command("verify-document")
def verify_document(
    file: Annotated[Path, typer.Argument(metavar="FICHIER", help="CDA, PDF, archive, message reçu, accusé…")],
    export: Annotated[Path | None, typer.Option("--export", help="Chercher dans cet export, sans le stockage.")] = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Dit si ces octets ont été envoyés, à qui et quand : le fichier, ses pièces jointes, le contenu de l'archive."""
    from gateway.audit import lookup

    data = read_input(file)
    if export is not None:
        found = lookup.in_export(export, lookup.pieces(data))
    else:
        with open_gateway(config) as gateway:
            found = gateway.journal.find(data)
    if as_json:
        print_json({"found": [one.as_dict() for one in found]})
    elif not found:
        tell("Aucun de ces octets n'est au journal : ce fichier n'est pas parti d'ici tel qu'il est.")
    for one in [] if as_json else found:
        kind = "Accusé ou preuve pour l'envoi " + one.receipt_of if one.receipt_of else "Document " + one.document
        tell(f"{one.piece.label} : {kind}, {one.accepted_at}")
        rows = [(t.delivery, t.destination, t.role, t.state, t.sent_at, t.receipt, t.reference) for t in one.deliveries]
        print_table(("envoi", "destination", "rôle", "état", "parti le", "accusé", "référence"), rows)
    raise typer.Exit(0 if found else ATTENTION)


@app.command("anchor")
def anchor(config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """Fait horodater le dernier point de contrôle par l'autorité configurée (RFC 3161)."""
    with open_gateway(config) as gateway:
        name = gateway.journal.anchor()
    if as_json:
        print_json({"checkpoint": name})
    else:
        say(f"{name} est horodaté." if name else "Rien de nouveau à horodater.")


def _write(proof: dict[str, Any], to: Path | None) -> None:
    if to is None:
        print_json(proof)
        return
    to.write_text(json.dumps(proof, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    say(f"{len(proof['records'])} enregistrements prouvés dans {to}")


def _proof(file: Path) -> dict[str, Any]:
    try:
        value = json.loads(read_input(file))
    except (ValueError, RecursionError):
        value = None
    if not isinstance(value, dict):
        raise InputError([error("JRN-107", "", f"{file} n'est pas une preuve du journal.")], "Vérification impossible.")
    return value
