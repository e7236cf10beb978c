"""`receipts`: what comes back to the accounts' own mailboxes."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from gateway.cli.common import ConfigOption, JsonOption, open_gateway
from gateway.cli.output import ATTENTION, print_json, print_table, tell

app = typer.Typer(help="Relever la boîte du compte : accusés, avis, réponses.", no_args_is_help=True)
AccountOption = Annotated[str | None, typer.Option("--account", help="Ce compte seulement.")]


@app.callback()
def _group() -> None:
    """`poll` stays a name of its own, even alone in its group."""


@app.command("poll")
def poll(account: AccountOption = None, config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """Relève une fois les boîtes et dit ce qui est arrivé ; rien n'y est modifié, marqué lu ni supprimé."""
    from gateway import wording

    with open_gateway(config) as gateway:
        found = gateway.mail.poll(account)
    ok = not any(one.reason or one.odd for one in found)
    if as_json:
        print_json({"ok": ok, "mailboxes": [one.as_dict() for one in found]})
        raise typer.Exit(0 if ok else ATTENTION)
    rows = []
    for one in found:
        mails = ", ".join(f"{count} {kind}" for kind, count in sorted(one.kinds.items()))
        rows.append((one.account, one.host, one.folder, one.read, mails, one.reason or "oui"))
    print_table(("compte", "serveur", "dossier", "lus", "dont", "relevée"), rows)
    for one in found:
        for code in (*one.odd, *([one.reason] if one.reason else [])):
            text = one.message if code == one.reason and one.message else wording.mailbox(code)
            tell(f"{one.account} : [{code}] {text}")
    raise typer.Exit(0 if ok else ATTENTION)


@app.command("take")
def take(
    file: Annotated[Path, typer.Argument(metavar="FICHIER", help="Un message reçu (.eml), tel quel.", exists=True)],
    account: Annotated[str, typer.Option("--account", help="Compte dont c'est la boîte.")],
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Prend en compte un message que vous avez relevé vous-même ; deux fois ne change rien."""
    with open_gateway(config) as gateway:
        found = gateway.receipts.take_in(account, file.read_bytes())
    if as_json:
        print_json(found.as_dict())
        return
    view = found.delivery
    row = (found.kind, found.verdict, found.reason, found.meaning, view.id if view else None, len(found.held))
    print_table(("nature", "suite", "motif", "ce qu'il dit", "envoi", "retenus"), [row])


@app.command("loose")
def loose(account: AccountOption = None, config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """Liste les accusés qui n'ont pu être rattachés à un envoi, ou qui n'ont pas été crus."""
    with open_gateway(config) as gateway:
        found = gateway.receipts.loose(account)
    if as_json:
        print_json(found)
        return
    head = ("compte", "quand", "nature", "suite", "motif", "ce qu'il dit", "envoi", "dossier", "UID")
    print_table(head, [tuple(one.values()) for one in found])
