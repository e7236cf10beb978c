"""`mapping`: which tables are in force, what a vendor mapping makes of an export, what a new version changes."""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gateway.cli.common import JsonOption, read_input
from gateway.cli.output import DATA_ERROR, print_findings, print_json, print_table, tell
from gateway.errors import MappingError
from gateway.findings import has_errors

if TYPE_CHECKING:
    from gateway.findings import Finding
    from gateway.mapping import Mapped

app = typer.Typer(help="Tables de correspondance, et reprise de l'export d'un autre logiciel.", no_args_is_help=True)
NameArgument = Annotated[str, typer.Argument(metavar="NOM", help="Nom d'une correspondance, ou chemin d'un .toml.")]


@app.command("list")
def list_(as_json: JsonOption = False) -> None:
    """Montre les correspondances de logiciels et les tables publiées, avec version, source, licence et empreinte."""
    value = {"pack": _manifest()["version"], "altered": _altered(), "mappings": [*_vendors(), *_published()]}
    if as_json:
        print_json(value)
        return
    columns = ("name", "kind", "version", "title", "source", "licence", "sha256")
    shown = [
        [str(row[column])[: 12 if column == "sha256" else None] for column in columns] for row in value["mappings"]
    ]
    print_table(("nom", "sorte", "version", "titre", "source", "licence", "empreinte"), shown)
    tell(f"Lot de tables {value['pack']}.")
    if value["altered"]:
        tell(f"Fichiers qui ne sont plus ceux du lot : {', '.join(value['altered'])}.")


@app.command("show")
def show(name: NameArgument, as_json: JsonOption = False) -> None:
    """Montre les règles et les tables de codes d'une correspondance, ou les lignes d'une table publiée."""
    if name in {row["name"] for row in _published()}:
        _show_published(name, as_json)
        return
    from gateway.mapping import load

    mapping = load(name)
    if as_json:
        print_json(mapping.model_dump(mode="json", by_alias=True, exclude_none=True))
        return
    tell(f"{mapping.title}, version {mapping.version} ({mapping.source.kind})")
    print_table(("vers", "depuis", "conversion", "si inconnu"), [_rule("", rule) for rule in mapping.rule])
    for each in mapping.each:
        print_table(
            ("vers", "depuis", "conversion", "si inconnu"),
            [_rule(f"{each.to}/-", rule) for rule in each.rule],
            title=f"Pour chaque {each.path or 'ligne'}",
        )
    for table, rows in mapping.tables.items():
        cells = [(key, *row.values()) for key, row in rows.items()]
        columns = ("valeur", *next(iter(rows.values()), {}))
        print_table(columns, cells, title=f"Table {table}")


@app.command("try")
def try_(
    name: NameArgument,
    file: Annotated[Path, typer.Argument(metavar="FICHIER", help="Export à lire (ou - pour l'entrée standard).")],
    to: Annotated[Path | None, typer.Option("--to", help="Dossier où écrire les saisies obtenues.")] = None,
    account: Annotated[str | None, typer.Option("--account", help="Compte à mettre dans les saisies.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Applique une correspondance à un export et montre tous les constats. N'envoie rien (statut 0 ou 65).

    Avec --to, écrit les saisies sans erreur, prêtes pour `check` ou `submit`.
    """
    from gateway.mapping import apply, load
    from gateway.records.submission import parse

    documents, findings = apply(read_input(file), load(name))
    stopped = has_errors(findings)  # a torn row or a missing column may hide a document: nothing is written
    for document in documents:
        if account is not None:
            document.submission["account"] = account
        if document.ok:
            document.findings += parse(document.data())[1]
    written = [] if to is None or stopped else _write(documents, to)
    if as_json:
        print_json(_as_json(documents, findings, written))
    else:
        _print(documents, findings, written)
    ok = bool(documents) and not stopped and all(document.ok for document in documents)
    raise typer.Exit(0 if ok else DATA_ERROR)


@app.command("diff")
def diff(
    name: Annotated[str, typer.Argument(metavar="NOM", help="Nom, fichier de table, ou « pack » pour tout le lot.")],
    other: Annotated[Path, typer.Argument(metavar="AUTRE", help="L'autre version : fichier ou dossier.")],
    as_json: JsonOption = False,
) -> None:
    """Montre ce que la version en place change par rapport à une autre : lignes ajoutées, retirées, modifiées."""
    from gateway.mapping.compare import compare

    ours, theirs = _pair(name, other)
    changes = compare(ours, theirs)
    if as_json:
        rows = [{"kind": c.kind, "file": c.file, "row": c.row, "before": c.before, "after": c.after} for c in changes]
        print_json({"changes": rows})
        return
    words = {"added": "ajoutée", "removed": "retirée", "changed": "modifiée"}
    print_table(
        ("ligne", "fichier", "clé", "avant", "après"),
        [(words[c.kind], c.file, c.row, c.before, c.after) for c in changes],
    )
    tell(f"{len(changes)} différence(s).")


def _manifest() -> dict[str, Any]:
    from gateway import resources

    return tomllib.loads(resources.read_text("mappings", "manifest.toml"))


def _altered() -> list[str]:
    from gateway.terminology import altered_files

    return altered_files()


def _entries() -> dict[str, dict[str, str]]:
    return {entry["path"]: entry for entry in _manifest()["file"]}


def _vendors() -> list[dict[str, str]]:
    from gateway.mapping import load, names

    entries = _entries()
    found = []
    for name in names():
        mapping, entry = load(name), entries.get(f"vendors/{name}.toml", {})
        row = {"name": name, "kind": f"export {mapping.source.kind}", "version": mapping.version}
        found.append({**row, "title": mapping.title, **_origin(entry)})
    return found


def _published() -> list[dict[str, str]]:
    import json

    from gateway import resources

    found = []
    for path, entry in _entries().items():
        if path.startswith("fhir/") and path.endswith(".json"):
            value = json.loads(resources.read_text("mappings", *path.split("/")))
            name = path.removeprefix("fhir/").removesuffix(".json")
            row = {"name": name, "kind": value["resourceType"], "version": value["version"], "title": value["title"]}
            found.append({**row, **_origin(entry)})
    return found


def _origin(entry: dict[str, str]) -> dict[str, str]:
    return {key: entry.get(key, "") for key in ("source", "licence", "sha256")}


def _show_published(name: str, as_json: bool) -> None:
    import json

    from gateway import resources

    value = json.loads(resources.read_text("mappings", "fhir", f"{name}.json"))
    if as_json:
        print_json(value)
        return
    tell(f"{value['title']}, version {value['version']} ({value['url']})")
    if value["resourceType"] == "ConceptMap":
        rows = [
            (one["code"], one["display"], target["code"], target["equivalence"], target.get("comment", ""))
            for group in value["group"]
            for one in group["element"]
            for target in one["target"]
        ]
        print_table(("code", "libellé", "code cible", "équivalence", "remarque"), rows)
    else:
        print_table(("code", "libellé"), [(one["code"], one["display"]) for one in value["concept"]])


def _rule(under: str, rule: Any) -> tuple[str, str, str, str]:
    source = rule.join.join(rule.source) if rule.source else f"« {rule.constant} »"
    policy = "bloque" if rule.policy == "block" else "avertit"
    return f"{under}{rule.to}", source, " ; ".join(rule.convert), policy


def _write(documents: Sequence[Mapped], folder: Path) -> list[str]:
    folder.mkdir(parents=True, exist_ok=True)
    names = []
    for number, document in enumerate(documents, start=1):
        if document.ok:
            name = f"saisie-{number:03}.json"
            (folder / name).write_bytes(document.data() + b"\n")
            names.append(name)
    return names


def _as_json(documents: Sequence[Mapped], findings: Sequence[Finding], written: Sequence[str]) -> dict[str, Any]:
    return {
        "ok": bool(documents) and not has_errors(findings) and all(one.ok for one in documents),
        "findings": [f.as_dict() for f in findings],
        "documents": [
            {
                "where": one.where,
                "ok": one.ok,
                "findings": [f.as_dict() for f in one.findings],
                "submission": one.submission,
            }
            for one in documents
        ],
        "written": list(written),
    }


def _print(documents: Sequence[Mapped], findings: Sequence[Finding], written: Sequence[str]) -> None:
    print_findings(f.as_dict() for f in findings)
    for one in documents:
        tell(f"{one.where} : {'saisie complète' if one.ok else 'refusé'}")
        print_findings(f.as_dict() for f in one.findings)
    tell(f"{sum(one.ok for one in documents)} saisie(s) sur {len(documents)} document(s).")
    for name in written:
        tell(name)


def _pair(name: str, other: Path) -> tuple[Path, Path]:
    """The two things to compare. Raises MappingError `MAP-111` when the name is unknown."""
    from gateway import resources
    from gateway.mapping.model import path_of

    pack = resources.data_path("mappings")
    if name == "pack":
        return pack, other
    known = next((path for path in _entries() if path in {name, f"fhir/{name}.json", f"vendors/{name}.toml"}), None)
    ours = pack / known if known else path_of(name)
    if other.is_dir() and known:
        return ours, other / known
    if not ours.exists():
        raise MappingError("MAP-111", f"Aucune correspondance ne s'appelle ainsi : {name}.")
    return ours, other
