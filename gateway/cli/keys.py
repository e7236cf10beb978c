"""`keys` and `backup`: what to keep in a safe, and how to put it back."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gateway.cli import keys_rotation
from gateway.cli.common import ConfigOption, JsonOption, read_input
from gateway.cli.output import print_json, say
from gateway.errors import ConfigError

if TYPE_CHECKING:
    from gateway.settings import Settings

app = typer.Typer(help="Les clés : les mettre à l'abri sous une phrase secrète, en changer.", no_args_is_help=True)
PhraseOption = Annotated[
    Path | None, typer.Option("--passphrase-file", help="Fichier de la phrase secrète (sinon : demandée au clavier).")
]


def register(app_: typer.Typer) -> None:
    """Add the commands of this module."""
    app_.add_typer(app, name="keys")
    keys_rotation.register(app)
    app_.command("backup")(backup)


@app.command("backup")
def keys_backup(
    to: Annotated[Path, typer.Option("--to", help="Fichier à écrire ; il ne doit pas exister.")],
    passphrase_file: PhraseOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Écrit les clés du stockage et du journal dans un fichier que seule la phrase secrète ouvre."""
    from gateway.clock import SystemRandomness
    from gateway.settings import load
    from gateway.store import keysafe
    from gateway.store.sealing import create_secret, read_secret

    files = {name: read_secret(path) for name, path in _keys(load(config)).items()}
    create_secret(to, keysafe.seal(files, _passphrase(passphrase_file, twice=True), SystemRandomness()))
    if as_json:
        print_json({"file": str(to), "keys": sorted(files)})
    else:
        say(f"{len(files)} clés dans {to}. Sans la phrase secrète, personne ne les ouvre : la garder ailleurs.")


@app.command("restore")
def keys_restore(
    file: Annotated[Path, typer.Argument(metavar="FICHIER")],
    passphrase_file: PhraseOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Remet les clés à leur place, sans remplacer celles qui y sont ; le trousseau retrouve ce qui y manque."""
    from gateway.settings import load
    from gateway.store import keyring, keysafe
    from gateway.store.sealing import create_secret

    places = _keys(load(config))
    found = keysafe.open_sealed(read_input(file), _passphrase(passphrase_file, twice=False))
    written = [name for name in found if name in places and not places[name].exists()]
    for name in written:
        create_secret(places[name], found[name])
    added = keyring.merge(places["master"], found["master"]) if "master" in found.keys() - set(written) else ()
    left = sorted(found.keys() - set(written))
    if as_json:
        print_json({"written": written, "left": left, "added": list(added)})
        return
    say(f"Remises : {', '.join(written) or 'aucune'}. Laissées, car présentes : {', '.join(left) or 'aucune'}.")
    if added:
        say(f"Ajoutées au trousseau : {', '.join(added)}.")


def backup(
    to: Annotated[Path, typer.Option("--to", help="Dossier à créer.")],
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Copie le stockage et les points de contrôle, sans arrêter les envois. Les clés à part : keys backup."""
    from gateway import store
    from gateway.clock import SystemClock
    from gateway.settings import load
    from gateway.store import backup as backups

    settings = load(config)
    if store.on_postgres(settings):
        raise ConfigError("BAK-004", "Ce stockage est sur PostgreSQL.", "Employer pg_dump ou l'archivage des WAL.")
    found = backups.take(store.database_path(settings), settings.journal.checkpoint_dir, to, SystemClock().now())
    backups.check(to)
    if as_json:
        print_json({"folder": str(to), "records": found.records, "documents": found.documents})
    else:
        say(f"{found.documents} documents et {found.records} enregistrements du journal dans {to}, relus et entiers.")


def _keys(settings: Settings) -> dict[str, Path]:
    return {"master": settings.sealing.key_file, "journal": settings.journal.key_file}


def _passphrase(file: Path | None, *, twice: bool) -> str:
    """From a file or the keyboard: never from the command line, which others can see."""
    if file is not None:
        return read_input(file).decode("utf-8", "strict").rstrip("\r\n")
    if not sys.stdin.isatty():
        raise ConfigError("KEY-004", "Aucun clavier pour la phrase secrète.", "Donner --passphrase-file.")
    return str(typer.prompt("Phrase secrète", hide_input=True, confirmation_prompt=twice, err=True))
