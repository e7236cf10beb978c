"""Evidence for homologation: a test is run on a synthetic patient, and every frame of it is kept as it was.

The run has a store, keys and a journal of its own: what waits in the practice's store is neither sent nor recorded, and
no mail leaves. What the DMP is asked and given is the same as ever, by the same code.
"""

from __future__ import annotations

import json
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from gateway import resources
from gateway.api.evidence_files import FORMAT, JOURNAL, EvidenceFolder
from gateway.api.evidence_tests import FEEDING, Catalogue, EvidenceTest, load
from gateway.errors import ConfigError, InputError
from gateway.findings import error, has_errors
from gateway.settings import Environment, Settings

if TYPE_CHECKING:
    from collections.abc import Callable

    from gateway.api.facade import Gateway
    from gateway.api.machinery import Machinery
    from gateway.records.submission import Submission
    from gateway.settings import AccountSettings, DmpSettings

_TOKENS = {"locate": "find", "existence": "test"}
"""Steps that the rights know by another name."""


@dataclass(frozen=True, slots=True)
class EvidencePlan:
    """What a run would do, before it does it: nothing in it names the patient."""

    test: EvidenceTest
    account: AccountSettings
    submission: bytes
    catalogue: Catalogue

    @property
    def dmp(self) -> DmpSettings:
        """The access that is tried."""
        assert self.account.dmp is not None
        return self.account.dmp

    def as_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        dmp = self.dmp
        return {
            "test": self.test.as_dict(),
            "account": {
                "id": self.account.id,
                "door": dmp.door,
                "url": dmp.fhir_url if dmp.door == "fhir" else dmp.url,
                "mode": dmp.mode,
                "profile": dmp.profile,
                "vihf_version": dmp.vihf_version,
                "vihf_signature": dmp.vihf_signature,
                "homologation": dmp.homologation,
            },
        }


@dataclass(frozen=True, slots=True)
class EvidenceRun:
    """What a run gave: `index` is what index.json holds."""

    folder: Path
    index: dict[str, Any]

    @property
    def ok(self) -> bool:
        """Whether every step did what it should."""
        return bool(self.index["ok"])


class Evidence:
    """Runs tests and keeps their frames. Reached as `gateway.evidence`."""

    def __init__(self, machinery: Machinery, make: Callable[[Settings], Gateway]) -> None:
        """`make`: a gateway of other settings, with the same clock and randomness."""
        self._machinery = machinery
        self._make = make

    def tests(self, own: Path | None = None) -> list[EvidenceTest]:
        """Every test there is; `own` is a file of the user's own tests. Raises ConfigError (EVD-009)."""
        return list(_catalogue(own).tests.values())

    def plan(
        self, code: str, *, submission: bytes | None = None, account: str | None = None, own: Path | None = None
    ) -> EvidencePlan:
        """Check everything that can be checked before a run. Sends nothing.

        `submission`: the synthetic patient's document; that of the demonstration where the account is its own.

        Raises ConfigError: EVD-001 an account of production, EVD-003 no such test, EVD-004 the authentication mode does
        not allow a step, EVD-006 an address of production, EVD-008 no document, EVD-009; InputError: EVD-002 not a test
        INS, EVD-007 no JSON, and the findings of the document.
        """
        catalogue = _catalogue(own)
        test, chosen = catalogue.find(code), _account(self._machinery.settings, account)
        _check_account(chosen, test, catalogue)
        data = submission if submission is not None else _demonstration(chosen)
        _check_patient(data, chosen)
        return EvidencePlan(test, chosen, data, catalogue)

    def run(self, plan: EvidencePlan, out: Path, *, by: str) -> EvidenceRun:
        """Run a test and write its folder. A step that fails ends the run, and the folder says so.

        Raises ConfigError (EVD-005 the folder is not empty), StoreError; InputError when the document is refused.
        """
        from gateway.api.evidence_run import Stage

        folder = EvidenceFolder(out, plan.catalogue.name)
        with (
            tempfile.TemporaryDirectory(prefix="kine-evidence-") as scratch,
            self._make(_apart(self._machinery.settings, plan.account, Path(scratch))) as gateway,
        ):
            stage = Stage(gateway, plan, folder, by)
            index = {"format": FORMAT, **plan.as_dict(), **stage.play()}
            folder.write(JOURNAL, stage.journal())
        folder.finish(index)
        return EvidenceRun(out, index)


def _catalogue(own: Path | None) -> Catalogue:
    return load(resources.read_text("config", "evidence.toml"), own)


def _account(settings: Settings, wanted: str | None) -> AccountSettings:
    able = [one for one in settings.account if one.dmp is not None and wanted in {None, one.id}]
    if len(able) != 1:
        raise ConfigError(
            "CFG-013", "Un seul compte avec un accès au DMP doit être désigné.", "Donner --account COMPTE."
        )
    return able[0]


def _check_account(account: AccountSettings, test: EvidenceTest, catalogue: Catalogue) -> None:
    from gateway.channels.dmp import rights

    assert account.dmp is not None
    if account.environment is not Environment.TEST:
        advice = 'Les trames d\'un essai se prennent avec un compte environment = "test" et un patient fictif.'
        raise ConfigError("EVD-001", f"Le compte {account.id} est un compte de production.", advice)
    for url in (account.dmp.url, account.dmp.fhir_url or ""):
        host = urlsplit(url).hostname or ""
        if host in catalogue.refused_hosts:
            raise ConfigError(
                "EVD-006", f"{host} est le DMP de production.", "Donner l'adresse de la plateforme de test."
            )
    asked = [_TOKENS.get(step, step) for step in test.steps if step not in FEEDING]
    forbidden = [one for one in asked if not rights.allowed(account.dmp.mode, one)]  # type: ignore[arg-type]
    if forbidden:
        message = f"Le mode {account.dmp.mode} ne permet pas : {', '.join(dict.fromkeys(forbidden))}."
        raise ConfigError("EVD-004", message, "Prendre un compte en mode direct (PDT-INF-526).")


def _demonstration(account: AccountSettings) -> bytes:
    """The demonstration's document for this account and this author, where there is one."""
    for file in sorted(resources.data_path("fixtures", "demo").glob("*.json")):
        data = file.read_bytes()
        value = json.loads(data)
        if value.get("account") == account.id and value.get("author", {}).get("rpps") == account.rpps:
            return data
    raise ConfigError("EVD-008", "Il faut le document d'un patient fictif.", "Donner --patient FICHIER (JSON).")


def _check_patient(data: bytes, account: AccountSettings) -> Submission:
    from gateway.identity.roots import INS_ROOTS
    from gateway.records.submission import parse

    submission, findings = parse(data)
    if submission is None:
        if not any(has_errors([one]) for one in findings):
            findings = [error("EVD-007", "", "Un document JSON est attendu.")]
        raise InputError(findings)
    ins = submission.patient.ins
    root = INS_ROOTS.get(ins.oid) if ins is not None else None
    if root is None or root.environment is not Environment.TEST:
        advice = "Des trames exactes contiennent l'identité : uniquement un patient fictif, sous une OID de test."
        raise InputError([error("EVD-002", "/patient/ins", "Ce n'est pas un INS de test.", advice)])
    if submission.account != account.id:
        from gateway import rules

        raise InputError([rules.other_account()])
    return submission


def _apart(settings: Settings, account: AccountSettings, folder: Path) -> Settings:
    """The same configuration with a store, keys and traces of its own, that account only, and the DMP only."""
    from gateway.settings import RetrySettings, SealingSettings, StoreSettings

    alone = account.model_copy(update={"smtp": None, "imap": None, "outbox": None, "token_command": ()})
    journal = {"checkpoint_dir": folder / "checkpoints", "key_file": folder / "journal.key", "timestamp": None}
    return settings.model_copy(
        update={
            "store": StoreSettings(url=f"sqlite:///{folder / 'store.sqlite'}"),
            "sealing": SealingSettings(key_file=folder / "sealing.key"),
            "journal": settings.journal.model_copy(update=journal),
            "traces": settings.traces.model_copy(update={"dir": folder / "traces"}),
            "retry": RetrySettings(delays=(0.5, 2.0, 5.0), give_up_after=60.0, jitter=False),
            "annuaire": None,
            "account": (alone,),
        }
    )
