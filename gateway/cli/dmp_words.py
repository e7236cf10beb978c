"""How the `dmp` commands speak: tables, refusals, and which account acts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from gateway.cli.output import print_table, say

if TYPE_CHECKING:
    from gateway.api import Gateway
    from gateway.api.dmp_results import DmpListing, Refusal

AccountOption = Annotated[str | None, typer.Option("--account", help="Compte qui agit (inutile s'il n'y en a qu'un).")]
_VISIBILITY = {
    "masked": "masqué aux professionnels",
    "hidden_from_patient": "caché au patient",
    "hidden_from_representatives": "caché aux représentants légaux",
}
_STATUS = {"Approved": "en cours", "Deprecated": "remplacé", "Archived": "archivé", "Deleted": "supprimé"}


def account_of(gateway: Gateway, account: str | None) -> str:
    """The account that acts: the one named, or the only one with a DMP access."""
    if account is not None:
        return account
    able = [one.id for one in gateway.settings.account if one.dmp is not None]
    if len(able) != 1:
        raise typer.BadParameter(f"--account est nécessaire : {', '.join(able) or 'aucun compte n’a accès au DMP'}.")
    return able[0]


def print_listing(found: DmpListing) -> None:
    """Documents, sets or links as a table."""
    if found.sets:
        _sets(found)
    elif found.links:
        _links(found)
    else:
        _documents(found)
    if not found.complete:
        say("attention : le DMP n'a pas tout donné ; préciser la recherche (--since, --until).")


def print_refusal(refusal: Refusal) -> None:
    """Why the DMP did not answer, in its words and ours."""
    say(f"Refus : {refusal.reason} {refusal.text}".rstrip())
    if refusal.advice:
        say(f"-> {refusal.advice}")


def _documents(found: DmpListing) -> None:
    columns = ("uniqueId", "document", "titre", "auteur", "créé (UTC)", "état", "version", "visibilité", "entryUUID")
    rows = [
        (
            one.unique_id,
            one.ours,
            one.title,
            one.author,
            one.creation_time,
            _STATUS.get(one.status or "", one.status),
            one.version,
            ", ".join(_VISIBILITY[label] for label in one.visibility),
            one.entry_uuid,
        )
        for one in found.documents
    ]
    print_table(columns, rows, title=f"{len(rows)} document(s)")


def _sets(found: DmpListing) -> None:
    rows = [(one.unique_id, one.submission_time, one.title, one.source_id, one.entry_uuid) for one in found.sets]
    print_table(("lot", "soumis (UTC)", "titre", "système", "entryUUID"), rows, title=f"{len(rows)} lot(s)")


def _links(found: DmpListing) -> None:
    rows = [((one.type or "").rpartition(":")[2] or None, one.source, one.target, one.uuid) for one in found.links]
    print_table(("lien", "de", "vers", "identifiant"), rows, title=f"{len(rows)} lien(s)")
