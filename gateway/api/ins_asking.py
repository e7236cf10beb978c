"""Between a patient's records and INSi: what may be asked, what an answer becomes. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.api.ins_results import InsFound
from gateway.channels.insi.agreement import differing, in_history
from gateway.channels.insi.answers import FOUND, Number, Reply
from gateway.channels.insi.classify import Failure
from gateway.channels.insi.messages import Search
from gateway.findings import Finding, error, has_errors, warning
from gateway.identity import status
from gateway.identity.ins import check_patient
from gateway.identity.names import insi_name, words_of
from gateway.identity.roots import INS_ROOTS
from gateway.identity.status import IdentityEvent
from gateway.records.people import Ins, Patient, Sex

if TYPE_CHECKING:
    from gateway.channels.insi.procedure import Found
    from gateway.settings import Environment

_RNIV = "RNIV, traits stricts"
_LABELS = {
    "birth_family": "Le nom de naissance",
    "birth_given": "Les prénoms de naissance",
    "sex": "Le sexe",
    "birth_date": "La date de naissance",
    "birth_place_cog": "Le lieu de naissance",
}
NO_ANSWER = "not_asked"
"""Outcome where the service was not called: a finding says why."""


def person_of(patient: Patient) -> tuple[Search | None, list[Finding]]:
    """The traits to ask about, written as the service takes them; None, with the reasons, when it may not be asked."""
    found = status.may_call_insi(patient.identity_attributes)
    family, said = _name(patient.birth_family, "/patient/birth_family")
    found += said
    names = patient.birth_given or ((patient.first_birth_given,) if patient.first_birth_given else ())
    given: list[str] = []
    for place, written in enumerate(names):
        name, said = _name(written, f"/patient/birth_given/{place}")
        found += said
        given += [name] if name else []
    if not names:
        found.append(_missing("/patient/birth_given"))
    if patient.sex not in {Sex.MALE, Sex.FEMALE}:
        found.append(_missing("/patient/sex"))
    if patient.birth_date is None:
        found.append(_missing("/patient/birth_date"))
    if has_errors(found):
        return None, found
    assert family is not None and patient.birth_date is not None and patient.sex is not None  # noqa: PT018
    search = Search(family, tuple(given), str(patient.sex), patient.birth_date, patient.birth_place_cog)
    return search, found


def _name(written: str | None, path: str) -> tuple[str | None, list[Finding]]:
    if written is None:
        return None, [_missing(path)]
    name = insi_name(written, path)
    return name.text, list(name.findings)


def _missing(path: str) -> Finding:
    message = "Trait nécessaire à la recherche absent (nom et prénom de naissance, sexe F ou M, date de naissance)."
    return error("INS-037", path, message, "Compléter ce trait d'après la pièce d'identité.", _RNIV)


def not_asked(patient: Patient, findings: list[Finding]) -> InsFound:
    """The result where the service was not called."""
    state = patient.identity_status
    return InsFound(NO_ANSWER, tuple(findings), before=state, after=state)


def taken_over(patient: Patient, person: Search, found: Found, environment: Environment) -> InsFound:
    """What the end of a search means for these records. Traits are taken over only when every one agrees."""
    asked = tuple({"step": str(one.step), "answer": one.answer} for one in found.asked)
    before, answer = patient.identity_status, found.answer
    if isinstance(answer, Failure):
        failed = (_failed(answer),)
        return InsFound(answer.reason, failed, asked, answer.text, before=before, after=before)
    if answer.code != FOUND:
        return InsFound(answer.code, (_nobody(answer.code),), asked, before=before, after=before)
    return _one_person(patient, person, answer, asked, environment)


def _one_person(
    patient: Patient, person: Search, answer: Reply, asked: tuple[dict[str, str], ...], environment: Environment
) -> InsFound:
    differs = differing(person, answer.traits) if answer.traits else []
    findings = [*answer.findings, *(_differs(name) for name in differs), *_other_ins(patient, answer)]
    merged = None if differs else _merged(patient, answer)
    before = after = patient.identity_status
    if merged is not None:
        after = status.move(before, IdentityEvent.RETRIEVED, patient.identity_attributes).after
        merged = merged.model_copy(update={"identity_status": after})
        findings += [one for one in check_patient(merged, environment) if one.code not in _ABOUT_STATUS]
    return InsFound(
        answer.code,
        tuple(findings),
        asked,
        ins=_number(answer.active),
        history=tuple(number for one in answer.history if (number := _number(one))),
        traits=_shown(answer),
        differing=tuple(differs),
        patient=merged,
        before=before,
        after=after,
    )


_ABOUT_STATUS = frozenset({"INS-010", "INS-002"})
"""Said by the result itself: the state that follows, and the key that the reply's own finding speaks of."""


def _differs(name: str) -> Finding:
    message = f"{_LABELS[name]} diffère de la réponse d'INSi : l'INS n'est pas repris."
    advice = "Vérifier sur la pièce d'identité : est-ce bien cette personne ? Corriger le trait, puis recommencer."
    return warning("INS-038", f"/patient/{name}", message, advice, _RNIV)


def _other_ins(patient: Patient, answer: Reply) -> list[Finding]:
    """Whether the records hold another INS than the service now gives."""
    if patient.ins is None or answer.active is None or answer.active.matricule == patient.ins.matricule:
        return []
    old = "un ancien INS de cette personne" if in_history(patient.ins, answer) else "un autre INS"
    message = f"Les données portent {old}, pas celui qu'INSi rend."
    advice = "Le vérifier (ins verify) : les envois en attente sous l'ancien INS seront retenus."
    return [warning("INS-045", "/patient/ins", message, advice, _RNIV)]


def _nobody(code: str) -> Finding:
    if code == "02":
        advice = "Ajouter les autres prénoms et le lieu de naissance (COG), puis recommencer ; sinon rester sans INS."
        return warning("TSI-002", "", "Plusieurs personnes ont ces traits (CR 02).", advice, "INSi")
    advice = "Vérifier les traits sur la pièce d'identité (nom de naissance, pas d'usage), puis recommencer."
    return warning("TSI-003", "", "INSi ne trouve personne avec ces traits (CR 01).", advice, "INSi")


def _failed(failure: Failure) -> Finding:
    from gateway import wording

    advice = wording.advice("dead" if not failure.retryable else "retry", "none", failure.reason)
    message = f"INSi n'a pas répondu à la question ({failure.reason})."
    return warning("TSI-004", "", message, advice or "Réessayer plus tard.", "INSi")


def _merged(patient: Patient, answer: Reply) -> Patient | None:
    """The records with the INS and the traits of the national base."""
    if answer.active is None or answer.traits is None:
        return None
    traits = answer.traits
    listed = tuple(traits.given.split(" "))
    # The list has spaces between names and inside them: a division that the practice knows is kept.
    known = patient.birth_given if words_of(" ".join(patient.birth_given)) == words_of(traits.given) else ()
    given = _divided(known, traits.given) or listed
    return patient.model_copy(
        update={
            "ins": Ins(matricule=answer.active.matricule, oid=answer.active.oid),
            "birth_family": traits.family,
            "birth_given": given,
            "first_birth_given": traits.first_given or given[0],
            "sex": Sex(traits.sex),
            "birth_date": traits.born,
            "birth_place_cog": traits.cog or patient.birth_place_cog,
        }
    )


def _divided(known: tuple[str, ...], listed: str) -> tuple[str, ...]:
    """The service's list, cut into names as the practice cuts it; empty where the one does not fit the other."""
    rest, cut = listed, []
    for name in known:
        part = rest[: len(name)]
        if words_of(part) != words_of(name):
            return ()
        cut.append(part)
        rest = rest[len(name) :].lstrip(" ")
    return tuple(cut) if not rest else ()


def _number(number: Number | None) -> dict[str, str] | None:
    if number is None:
        return None
    dates = {"begin": number.begin, "end": number.end}
    told = {key: value.isoformat() for key, value in dates.items() if value is not None}
    return {"matricule": number.matricule, "oid": number.oid, "kind": str(INS_ROOTS[number.oid].kind), **told}


def _shown(answer: Reply) -> dict[str, str] | None:
    traits = answer.traits
    if traits is None:
        return None
    return {
        "birth_family": traits.family,
        "birth_given": traits.given,
        "sex": traits.sex,
        "birth_date": traits.born.isoformat() if traits.born else "",
        "birth_place_cog": traits.cog or "",
    }
