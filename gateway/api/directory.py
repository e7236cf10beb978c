"""`gateway.directory`: whose box is it? The Annuaire Santé, by its API and by its daily file."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from gateway.errors import ConfigError

if TYPE_CHECKING:
    from gateway.api.machinery import Machinery
    from gateway.channels.annuaire.directory import Directory, Status
    from gateway.channels.annuaire.extraction import Imported, Progress
    from gateway.channels.annuaire.model import Choice, Found, Person, Query, Recheck, Source
    from gateway.findings import Finding
    from gateway.records.people import Recipient, StructureId
    from gateway.rules.trust_space import TrustList
    from gateway.settings import AnnuaireSettings


class DirectoryFace:
    """Questions to the directory. Every method blocks; an asyncio program calls them in a thread.

    Raises ConfigError ANN-400 when no `[annuaire]` is configured, AnnuaireError when nothing can answer.
    """

    def __init__(self, machinery: Machinery) -> None:
        self._machinery = machinery

    @property
    def configured(self) -> bool:
        """Whether the configuration has a directory."""
        return self._machinery.settings.annuaire is not None

    @property
    def _settings(self) -> AnnuaireSettings:
        settings = self._machinery.settings.annuaire
        if settings is None:
            advice = "Ajouter une table [annuaire] (modèle : config/gateway.example.toml)."
            raise ConfigError("ANN-400", "Aucun annuaire n'est configuré.", advice)
        return settings

    @cached_property
    def trust(self) -> TrustList:
        """The trust space that every address is held to."""
        from gateway.rules import trust_space

        return trust_space.load(self._machinery.settings.trust_space.file)

    @cached_property
    def _directory(self) -> Directory:
        from gateway.channels.annuaire.directory import Directory

        return Directory(self._settings, self.trust, self._machinery.clock, skew=self._machinery.skew)

    def close(self) -> None:
        """Close the connections to the API."""
        if "_directory" in self.__dict__:
            self._directory.close()

    def find(
        self,
        *,
        rpps: str | None = None,
        name: str | None = None,
        town: str | None = None,
        profession: str | None = None,
        limit: int = 50,
        source: Source | None = None,
        fresh: bool = False,
    ) -> Found:
        """Professionals in activity with their published boxes, at most `limit`; `more` says that there are others.

        `profession` is a code (`10`, `G15_10`) or words of its label (`médecin`). Searching by town alone needs the
        imported list. Boxes outside the trust space are returned too: `is_trusted` tells them apart. `fresh` asks the
        API again instead of using an answer of today.
        """
        code, label = _profession(profession)
        query = _query(rpps, name, town, code, label, limit)
        found = self._directory.find(query, source=source, fresh=fresh)
        return replace(found, people=tuple(_labelled(person) for person in found.people))

    def is_trusted(self, address: str) -> bool:
        """Whether mail may go to this address at all."""
        return self.trust.allows(address)

    def choose(self, rpps: str, structure: StructureId | str | None = None) -> Choice:
        """The box of a professional: one, a question to a person, none, or no usable answer. Never a guess.

        `structure` is where the patient is seen (a StructureId, or a Struct_IdNat as text).
        """
        return self._directory.choose(rpps, _struct_idnat(structure))

    def conclude(self, found: Found, rpps: str, structure: StructureId | str | None = None) -> Choice:
        """What an answer already at hand says of the box of `rpps`: the rules of `choose`, without asking again."""
        from gateway.channels.annuaire import choice

        return choice.choose(found, rpps, self.trust, _struct_idnat(structure))

    def recheck(
        self, rpps: str, address: str, structure: StructureId | str | None = None, *, since: datetime | None = None
    ) -> Recheck:
        """What became of an address that the server refused (5.1.1): same, changed, gone, ask, unknown.

        The API is asked afresh; a list or an earlier answer counts only if it is younger than `since`.
        """
        return self._directory.recheck(rpps, address, _struct_idnat(structure), since=since)

    def refresh(self, file: Path | None = None, *, force: bool = False, progress: Progress | None = None) -> Imported:
        """Import `file`, or fetch today's list. The list in place stays unless the new one is whole.

        `force` takes one that is smaller or older. Raises ListRefusedError, AnnuaireError.
        """
        from gateway.channels.annuaire import extraction

        tell: Callable[..., object] = progress or (lambda *_: None)
        if file is None:
            return extraction.download(self._settings, self._machinery.clock, force=force, progress=tell)
        return extraction.import_file(self._settings, file, self._machinery.clock, force=force, progress=tell)

    def status(self) -> Status:
        """What the directory can answer from: the imported list and its age, the API, and what to do."""
        return self._directory.status()

    def advice(self, recipients: Sequence[Recipient]) -> list[Finding]:
        """Findings on the recipients of a submission, from the imported list alone: nothing waits for the network.

        The box of who has none in the submission is suggested, never filled in; a box that is another's is an error.
        """
        from gateway.channels.annuaire import advice

        return advice.on_recipients(recipients, self._directory)


def _labelled(person: Person) -> Person:
    """The same person with the labels that the API leaves out (JDV_J01)."""
    from gateway import terminology

    terms = terminology.load()
    label = person.profession_label or terms.professions().get(person.profession, "")
    code = f"G15_{person.profession}/{person.skill}"
    skill = (
        terms.value("J01", code).display.removeprefix(f"{label} - ") if terms.has_value("J01", code) else person.skill
    )
    return replace(person, profession_label=label, skill=skill)


def _query(
    rpps: str | None, name: str | None, town: str | None, code: str | None, label: str | None, limit: int
) -> Query:
    from gateway.channels.annuaire.model import Query

    return Query(rpps, name, town, code, label, max(1, limit))


def _profession(text: str | None) -> tuple[str | None, str | None]:
    """Code and words of a profession that a person typed; the code by the labels of JDV_J01 when one is meant."""
    if not text:
        return None, None
    code = text.strip().upper().removeprefix("G15_")
    if code.isdigit():
        return code, None
    from gateway import terminology
    from gateway.terminology.tables import folded

    listed = terminology.load().professions()
    wanted = folded(text).replace("-", " ")
    exact = [c for c, label in listed.items() if folded(label).replace("-", " ") == wanted]
    close = [c for c, label in listed.items() if wanted in folded(label).replace("-", " ")]
    found = exact or close
    return (found[0] if len(found) == 1 else None), text


def _struct_idnat(structure: StructureId | str | None) -> str | None:
    if structure is None or isinstance(structure, str):
        return structure
    from gateway import terminology

    return str(terminology.load().identifiers["structure_prefix"][structure.kind.value]) + structure.value
