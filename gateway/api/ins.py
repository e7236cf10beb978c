"""The INS as the library offers it: check, search, verify, prove; the Datamatrix; what a wrong INS stopped.

Every question to INSi leaves an access in the journal (who, when, which operation, what outcome; no trait). A
verification that the service does not confirm stops the patient: what is queued is held, what comes later too.
"""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from gateway.api.ins_results import InsCheck, InsFound, InsVerified, Proven, StopView
from gateway.errors import ConfigError, InputError
from gateway.findings import Finding, error, warning
from gateway.records.people import Ins, Patient
from gateway.settings import Environment

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from gateway.api.machinery import Machinery
    from gateway.channels.insi.procedure import Found
    from gateway.identity.datamatrix_reader import Reading
    from gateway.settings import AccountSettings, InsiSettings
    from gateway.store.stops import Stopped

_REASONS = {
    "none": "TSI-STOP-NONE",
    "several": "TSI-STOP-SEVERAL",
    "changed": "TSI-STOP-CHANGED",
    "other_traits": "TSI-STOP-TRAITS",
}


class InsOffice:
    """Everything about an INS. Reached as `gateway.ins`."""

    def __init__(self, gateway: Machinery, *, sleep: Callable[[float], None] | None = None) -> None:
        """`sleep` replaces the waits between two tries (tests)."""
        self._gateway = gateway
        self._sleep = sleep

    # ---------------------------------------------------------------------------------------- without asking

    def check(self, patient: Patient, environment: Environment = Environment.TEST) -> InsCheck:
        """What is wrong with an identity, whether its INS may leave, and what may happen to it next. Asks nobody."""
        from gateway.identity.ins import check_patient, ins_may_leave
        from gateway.identity.status import TRANSITIONS, check_attributes, may_call_insi

        attributes = patient.identity_attributes
        findings = [*check_patient(patient, environment), *check_attributes(attributes)]
        present = patient.identity_status
        moves = {str(event): str(after) for (state, event), after in TRANSITIONS.items() if state is present}
        facts = {
            "status": str(present),
            "attributes": [str(one) for one in attributes],
            "may_call_insi": not may_call_insi(attributes),
            "next": moves,
            **(_facts(patient.ins) if patient.ins else {}),
        }
        return InsCheck(tuple(findings), facts, ins_may_leave(patient, environment))

    def check_matricule(self, matricule: str, oid: str, environment: Environment | None = None) -> InsCheck:
        """What is wrong with a matricule and an OID alone. The environment is the OID's own unless given."""
        from gateway.identity.ins import check_patient
        from gateway.identity.roots import environment_of

        ins = Ins(matricule=matricule, oid=oid)
        world = environment or environment_of(ins)
        about = ("/patient/ins",)
        findings = check_patient(Patient(ins=ins), world)
        return InsCheck(tuple(f for f in findings if f.path.startswith(about)), _facts(ins), may_leave=False)

    def prove(self, account: str, patient: Patient, *, proof: str, by: str) -> Proven:
        """A named person saw a document of high trust (`PA`, `CN`, `AN`, `LE`): the state that follows, journalled.

        Nothing is stored of the identity itself: the records that the next submission brings must say the new state.
        """
        from gateway.engine.stored import patient_key
        from gateway.identity.status import IdentityEvent, move
        from gateway.store.stops import Access

        moved = move(patient.identity_status, IdentityEvent.PROVEN, patient.identity_attributes, proof=proof, by=by)
        if moved.allowed:
            access = Access(account, by, f"proof-{proof}", f"{moved.before}-{moved.after}", calls=0)
            self._gateway.store.note_access(access, patient_key(patient))
        return Proven(moved.before, moved.after, moved.findings)

    # ------------------------------------------------------------------------------------------------ asking

    def search(self, patient: Patient, *, by: str, account: str | None = None) -> InsFound:
        """Look for the INS of these traits, by the documented procedure (docs/ins.md).

        Failures of the service are results, not exceptions. Raises ConfigError: no account asks INSi (CFG-030), or
        several do (CFG-031).
        """
        from gateway.api.ins_asking import not_asked, person_of, taken_over

        chosen, settings = self._asking(account)
        person, findings = person_of(patient)
        if person is None:
            return not_asked(patient, findings)
        found = self._run(chosen, settings, "search", patient, by, person)
        result = taken_over(patient, person, found, chosen.environment)
        return _with(result, findings)

    def verify(self, patient: Patient, *, by: str, account: str | None = None) -> InsVerified:
        """Ask whether the INS of these records is still this person's; when it is not, stop the patient.

        The service has an operation for it whose interface could not be obtained, so the search by traits is made
        and its answer compared (spec dmp §5). No answer stops nothing. Raises like `search`.
        """
        from gateway.api.ins_asking import not_asked, person_of, taken_over
        from gateway.channels.insi import agreement

        chosen, settings = self._asking(account)
        person, findings = person_of(patient)
        if patient.ins is None:
            message = "Pas d'INS à vérifier."
            findings.append(error("INS-039", "/patient/ins", message, "Chercher d'abord l'INS (ins search)."))
        if person is None or patient.ins is None:
            return InsVerified("not_asked", not_asked(patient, findings))
        found = self._run(chosen, settings, "verify", patient, by, person)
        verdict = str(agreement.verify(patient.ins, person, found.answer))
        result = _with(taken_over(patient, person, found, chosen.environment), findings)
        if verdict in _REASONS:
            return self._stopped(patient, verdict, by, result)
        still = self._still_stopped(patient) if verdict == "confirmed" else ()
        return InsVerified(verdict, result, findings=still)

    def _run(
        self, account: AccountSettings, settings: InsiSettings, kind: str, patient: Patient, by: str, person: Any
    ) -> Found:
        """Search, and journal that it was done, whatever came of it."""
        from gateway.channels.insi import procedure
        from gateway.channels.insi.client import InsiClient
        from gateway.engine.stored import patient_key
        from gateway.store.operating import checked_name
        from gateway.store.stops import Access

        checked_name(by)  # before anything leaves: an access that nobody answers for is not made
        extra = {} if self._sleep is None else {"sleep": self._sleep}
        host = urlsplit(settings.url).hostname or ""
        tracer = self._gateway.wiring.tracer(account, "insi", host)
        client = InsiClient(settings, clock=self._gateway.clock, ids=self._gateway.randomness, tracer=tracer, **extra)
        with closing(client):
            found = procedure.run(person, client.search)
        outcome = found.asked[-1].answer if found.asked else ""
        access = Access(account.id, by, kind, outcome, client.calls, host)
        self._gateway.store.note_access(access, patient_key(patient) if patient.ins else None)
        return found

    def _asking(self, account: str | None) -> tuple[AccountSettings, InsiSettings]:
        """The account whose certificate asks."""
        able = {one.id: one for one in self._gateway.settings.account if one.insi is not None}
        chosen = able.get(account) if account else next(iter(able.values()), None)
        if chosen is None or chosen.insi is None:
            name = f"Le compte {account}" if account else "Aucun compte"
            advice = "Ajouter une table [account.insi] à la configuration (docs/ins.md)."
            raise ConfigError("CFG-030", f"{name} n'est pas configuré pour INSi.", advice)
        if account is None and len(able) > 1:
            raise ConfigError("CFG-031", "Plusieurs comptes peuvent interroger INSi.", "Dire lequel : --account.")
        return chosen, chosen.insi

    # ----------------------------------------------------------------------------------------------- stopping

    def _accounts(self) -> list[str]:
        return [one.id for one in self._gateway.settings.account]

    def _stopped(self, patient: Patient, verdict: str, by: str, result: InsFound) -> InsVerified:
        from gateway.engine.stored import patient_key
        from gateway.identity.status import IdentityEvent, move

        key = patient_key(patient)
        stopped = self._gateway.store.stop_patient(self._accounts(), key, reason=_REASONS[verdict], by=by)
        after = move(patient.identity_status, IdentityEvent.REFUSED).after
        return InsVerified(
            verdict,
            _downgraded(result, after),
            stopped=True,
            held=stopped.held,
            gone=self._gone(stopped),
            findings=_about_stop(stopped),
        )

    def _gone(self, stopped: Stopped) -> tuple[dict[str, str], ...]:
        rows = [self._gateway.store.delivery(delivery).row for delivery in stopped.gone]
        return tuple(
            {
                "delivery": row.id,
                "document": row.document_id,
                "account": row.account,
                "destination": row.destination,
                "transport": str(row.state),
                "changed_at": row.changed_at.isoformat(),
            }
            for row in rows
        )

    def _still_stopped(self, patient: Patient) -> tuple[Finding, ...]:
        from gateway.engine.stored import patient_key

        if not self._gateway.store.patient_stops(self._accounts(), patient_key(patient)):
            return ()
        message = "INSi confirme cet INS, mais un arrêt est encore en vigueur pour ce patient."
        return (warning("INS-040", "/patient/ins", message, "Lever l'arrêt (ins resume) s'il n'a plus lieu d'être."),)

    def stops(self) -> list[StopView]:
        """Patients whose INS was refused or changed, and who have not been resumed."""
        from gateway import wording

        return [
            StopView(
                one.account,
                one.patient,
                one.reason,
                one.by,
                one.since.isoformat(),
                wording.advice("held", "none", one.reason),
            )
            for one in self._gateway.store.patient_stops()
        ]

    def resume(self, matricule: str, *, by: str, release: bool = False) -> tuple[str, ...]:
        """End the stop of an INS. With `release` what it held goes, under the INS that was written then.

        Returns the deliveries released. Raises InputError (INS-041): nothing is stopped for this INS.
        """
        key = f"ins|{matricule}"
        if not self._gateway.store.patient_stops(self._accounts(), key):
            advice = "Voir les arrêts en vigueur : kine-gateway ins stops."
            raise InputError([error("INS-041", "/matricule", "Aucun arrêt n'est en vigueur pour cet INS.", advice)])
        return self._gateway.store.resume_patient(self._accounts(), key, by=by, release=release)

    # --------------------------------------------------------------------------------------------- Datamatrix

    def read_datamatrix(self, text: str) -> Reading:
        """The content of an INS Datamatrix that a scanner delivered, with every defect. No status follows from it."""
        from gateway.identity.datamatrix_reader import read

        return read(text)

    def read_datamatrix_image(self, image: bytes) -> list[Reading]:
        """The INS Datamatrix symbols of a picture. Raises ConfigError: DMX-021, DMX-022 (see `datamatrix_image`)."""
        from gateway.identity import datamatrix_image
        from gateway.identity.datamatrix_reader import read

        return [read(text) for text in dict.fromkeys(datamatrix_image.texts(image))]

    def write_datamatrix(self, patient: Patient, environment: Environment = Environment.TEST) -> str:
        """Text of the symbol of a qualified identity. Raises InputError (DMX-023, DMX-024) where none may be made."""
        from gateway.identity.datamatrix import Traits, content
        from gateway.identity.ins import check_patient, ins_may_leave

        if not ins_may_leave(patient, environment):
            refusal = error(
                "DMX-023",
                "/patient/identity_status",
                "Pas de Datamatrix : il n'est dessiné que pour une identité qualifiée et complète.",
                "Qualifier l'identité : INSi, puis pièce d'identité.",
                "RNIV",
            )
            raise InputError([refusal, *check_patient(patient, environment)], "Datamatrix refusé.")
        assert patient.ins and patient.birth_family and patient.birth_date and patient.sex  # noqa: PT018
        ins, given = patient.ins, patient.birth_given
        traits = Traits(
            ins.matricule,
            ins.oid,
            given,
            patient.birth_family,
            str(patient.sex),
            patient.birth_date,
            patient.birth_place_cog,
        )
        text = content(traits)
        if text is None:
            message = "Les traits ne peuvent pas être écrits exactement dans un Datamatrix INS."
            raise InputError([error("DMX-024", "/patient", message, "Reprendre les traits rendus par INSi.")])
        return text


def _facts(ins: Ins) -> dict[str, Any]:
    """What a matricule says by its form alone."""
    from gateway.identity.matricule import key_of, read
    from gateway.identity.roots import INS_ROOTS

    found, root = read(ins.matricule), INS_ROOTS.get(ins.oid)
    facts: dict[str, Any] = {"shape": found is not None, "oid": str(root.kind) if root else None}
    if root is not None:
        facts["environment"] = str(root.environment)
    if found is not None:
        facts |= {"key": found.key, "expected_key": key_of(found.nir13), "key_holds": found.key_holds()}
    return facts


def _with(result: InsFound, findings: Sequence[Finding]) -> InsFound:
    from dataclasses import replace

    return replace(result, findings=(*findings, *result.findings))


def _downgraded(result: InsFound, after: Any) -> InsFound:
    """A search that found somebody else's INS hands no identity over: a person looks first."""
    from dataclasses import replace

    return replace(result, after=after, patient=None)


def _about_stop(stopped: Stopped) -> tuple[Finding, ...]:
    message = f"Envois de ce patient arrêtés : {len(stopped.held)} retenus maintenant, les prochains le seront aussi."
    advice = "Corriger l'identité, confier de nouveaux documents, puis annuler les envois retenus."
    found = [warning("INS-042", "/patient/ins", message, advice, "RNIV")]
    if stopped.gone:
        message = f"{len(stopped.gone)} envois sont déjà partis sous cet INS."
        advice = "Les relire un par un ; annuler le document auprès de ses destinataires (withdraw) s'il est faux."
        found.append(warning("INS-043", "/patient/ins", message, advice, "RNIV"))
    return tuple(found)
