"""`gateway.patients`: what is held about a patient, a copy of it for him, and its erasure (RGPD articles 15 and 17)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from gateway import platform, wording
from gateway.engine import rights, stored
from gateway.errors import FileRefusedError, InputError, StateError
from gateway.findings import error
from gateway.identity.matricule import Matricule, read
from gateway.store.holdings import Disclosed
from gateway.store.operating import checked_name
from gateway.store.oppositions import Person
from gateway.views_rights import HeldView, PlanView

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from gateway.api.machinery import Machinery
    from gateway.records.level1 import AnySubmission


@dataclass(frozen=True, slots=True)
class Exported:
    """A copy that was written: how many documents with their content, how many left out because they are hidden."""

    file: Path
    documents: int
    hidden: int
    size: int

    def as_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        return {"file": str(self.file), "documents": self.documents, "hidden": self.hidden, "size": self.size}


@dataclass(frozen=True, slots=True)
class Erased:
    """What an erasure did. `scrubbed`: the database dropped at once what deleted rows leave in its files."""

    plan: PlanView
    erased: tuple[str, ...]
    refused: tuple[str, ...]
    scrubbed: bool

    def as_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        lists = {"erased": list(self.erased), "refused": list(self.refused)}
        return {**self.plan.as_dict(), **lists, "scrubbed": self.scrubbed, "done": True}


class Patients:
    """A patient's rights. He is named by one of his documents, by a submission about him, or by his matricule.

    Everything holds for one account: that of the document or submission; `account` with a matricule, unless there is
    one account only.
    """

    def __init__(self, machinery: Machinery) -> None:
        self._machinery = machinery

    def held(self, of: str | Matricule | AnySubmission, *, account: str | None = None) -> HeldView:
        """Everything that is held about a patient, what is kept by duty, what is beyond reach.

        Raises NotFoundError (DOC-404, RGT-001 nothing is held), InputError (RGT-008 which account).
        """
        return HeldView(rights.look(self._machinery.store, self._subject(of, account)))

    def export(
        self,
        of: str | Matricule | AnySubmission,
        out: Path,
        *,
        by: str,
        account: str | None = None,
        include_hidden: bool = False,
        force: bool = False,
    ) -> Exported:
        """Write a ZIP, private to its owner: documents, `LISEZ-MOI.txt`, `resume.json`. Journalled (`by` a name).

        Content hidden from the patient or from his representatives is left out unless `include_hidden`. Raises like
        `held`, and FileRefusedError (RGT-010: the file exists), InputError (DLV-003: no name).
        """
        from gateway.api.patients_archive import archive

        store = self._machinery.store
        by = checked_name(by)
        if out.exists() and not force:
            raise FileRefusedError("RGT-010", f"{out} existe déjà.", "Choisir un autre nom, ou ajouter --force.")
        held = self.held(of, account=account)
        made = archive(store, held, self._machinery.clock.now(), include_hidden=include_hidden)
        # Journalled first: a copy that nobody knows of is worse than a line about one that was not written.
        store.note_disclosed(Disclosed(held.account, held.patient, by, made.documents))
        platform.write_atomic(out, made.data)
        return Exported(out, made.documents, made.hidden, len(made.data))

    def plan_erasure(self, of: str | Matricule | AnySubmission, *, account: str | None = None) -> PlanView:
        """What `erase` would do. Changes nothing; raises like `held`."""
        machinery = self._machinery
        held = rights.look(machinery.store, self._subject(of, account))
        return PlanView(rights.plan(machinery.store, held, machinery.world.rules, machinery.clock.now()))

    def erase(
        self,
        of: str | Matricule | AnySubmission,
        *,
        by: str,
        reason: str,
        account: str | None = None,
        progress: Callable[[int, int], None] | None = None,
    ) -> Erased:
        """Erase the content of a patient's documents, one transaction each; what is not finished stays.

        `reason` is one of mappings/faces.toml `[rights.reason]`; `progress` is told how many of how many are done. Done
        again after an interruption, it goes on where it was. Raises like `held`; InputError (DLV-003 no name, RGT-009
        no such reason), StoreError.
        """
        by = checked_name(by)
        check_reason(reason)
        plan, store = self.plan_erasure(of, account=account), self._machinery.store
        erased, refused = [], list(plan.plan.blocked)
        for number, document in enumerate(plan.plan.erasable, 1):
            try:
                if store.erase(document, by=by, reason=reason):
                    erased.append(document)
            except StateError:  # somebody set it going since
                refused.append(document)
            if progress is not None:
                progress(number, len(plan.plan.erasable))
        # Also where all was gone before: the one who erased may have been stopped just then.
        scrubbed = store.scrub() if erased or plan.plan.gone else True
        return Erased(plan, tuple(erased), tuple(refused), scrubbed)

    def is_same(self, submission: AnySubmission, patient: str) -> bool:
        """Whether a submission is about the patient of this pseudonym, in the submission's account."""
        return self._machinery.store.holding(rights.subject_of(submission).person).patient == patient

    def _subject(self, of: str | Matricule | AnySubmission, account: str | None) -> rights.Subject:
        if isinstance(of, str):
            row = self._machinery.store.document(of)
            submission = stored.submission(self._machinery.store, row)
            traits = None if submission is None else stored.birth_traits(submission.patient)
            return rights.Subject(Person(row.account, document=of), traits)
        if isinstance(of, Matricule):
            return rights.Subject(Person(self._account(account), patient=f"ins|{of.text}"))
        return rights.subject_of(of)

    def _account(self, account: str | None) -> str:
        known = [one.id for one in self._machinery.settings.account]
        if account is None and len(known) == 1:
            return known[0]
        if account not in known:
            advice = f"Donner --account : {', '.join(known)}."
            raise InputError([error("RGT-008", "/account", "De quel compte s'agit-il ?", advice)], "Compte à préciser.")
        return account


def matricule(text: str) -> Matricule:
    """A matricule as somebody typed it, blanks apart. Raises InputError (RGT-011) without repeating it."""
    found = read("".join(text.split()).upper())
    if found is None or not found.key_holds():
        advice = "15 caractères, clé comprise, seuls sur l'entrée standard ou dans le fichier."
        refused = error("RGT-011", "/matricule", "Ce n'est pas un matricule INS.", advice)
        raise InputError([refused], "Matricule refusé.")
    return found


def check_reason(reason: str) -> None:
    """Raise InputError (RGT-009) unless the reason is one of those that the law knows."""
    known = wording.words()["rights"]["reason"]
    if reason not in known:
        advice = f"Un de : {', '.join(known)}."
        raise InputError([error("RGT-009", "/reason", "Motif d'effacement inconnu.", advice)], "Effacement refusé.")
