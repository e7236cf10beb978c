"""The birth traits that must go with an INS, and whether they agree with the digits of the matricule.

Sources: RNIV (referential of national identity vigilance), the reply of the INSi service (spec dmp §5), the
rule of CI-SIS that an INS root calls for all six traits (spec cda §3). Disagreement with the digits only warns:
matricules are not rewritten when a civil record changes, and conventional values exist.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterator

from gateway.findings import Finding, error, warning
from gateway.identity.matricule import Matricule
from gateway.records.people import Patient, Sex

# spec dmp §5: pattern of the names in the INSi request, as the service publishes it.
_INSI_NAME = re.compile(r"[A-Z]+(?:(?:-{1,2}|[' ])[A-Z]+)*")
_MALE, _FEMALE = "137", "248"
_CORSICA_SPLIT = 1976  # on 1 January
_OLDEST_BIRTH = dt.date(1880, 1, 1)
"""Nobody living was born before: the oldest verified human life lasted 122 years."""
_RNIV = "RNIV, traits stricts"


def missing(patient: Patient) -> list[Finding]:
    """Traits that are absent: an error when no reader could say who it is, else a warning and no INS."""
    found = list(_needed_by_any_reader(patient))
    given = bool(patient.birth_given), patient.first_birth_given is not None
    if any(given) and not all(given):
        field = "/patient/first_birth_given" if given[0] else "/patient/birth_given"
        found.append(_without_ins("INS-014", field, "Premier prénom ou liste des prénoms de naissance absent."))
    if patient.birth_place_cog is None:
        found.append(
            _without_ins(
                "INS-015", "/patient/birth_place_cog", "Lieu de naissance (code officiel géographique) absent."
            )
        )
    if patient.sex is Sex.UNKNOWN:
        found.append(_without_ins("INS-016", "/patient/sex", "Sexe inconnu : INSi ne connaît que F et M."))
    return found


def _needed_by_any_reader(patient: Patient) -> Iterator[Finding]:
    needed = {
        "birth_family": patient.birth_family,
        "birth_given": patient.birth_given or patient.first_birth_given,
        "birth_date": patient.birth_date,
        "sex": patient.sex,
    }
    for field, value in needed.items():
        if not value:
            message = "Trait d'identité absent (nom, prénom, date de naissance ou sexe)."
            advice = "Renseigner ce trait : sans lui le document ne désigne personne de façon sûre."
            yield error("INS-013", f"/patient/{field}", message, advice, _RNIV)


def _without_ins(code: str, path: str, message: str) -> Finding:
    advice = "Compléter avec la réponse d'INSi ; en attendant le document part sans INS."
    return warning(code, path, message, advice, _RNIV)


def complete(patient: Patient) -> bool:
    """Whether every trait that must go with an INS is there (CI-SIS: the six traits)."""
    return not missing(patient)


def check_values(patient: Patient) -> Iterator[Finding]:
    """Names as INSi writes them, the list that begins with the first name, and a birth date that can be."""
    yield from _names(patient)
    if patient.birth_given and patient.first_birth_given and not _begins_with_first(patient):
        advice = "Reprendre la liste et le premier prénom de la réponse d'INSi."
        message = "Le premier prénom n'est pas au début de la liste des prénoms de naissance."
        yield warning("INS-017", "/patient/first_birth_given", message, advice, _RNIV)
    if patient.birth_date and patient.birth_date < _OLDEST_BIRTH:
        yield error("INS-020", "/patient/birth_date", "Naissance avant 1880.", "Corriger l'année de naissance.")


def _begins_with_first(patient: Patient) -> bool:
    listed = " ".join(patient.birth_given)
    first = patient.first_birth_given or ""
    return listed == first or listed.startswith(f"{first} ")


def _names(patient: Patient) -> Iterator[Finding]:
    named = [("/patient/birth_family", patient.birth_family), ("/patient/first_birth_given", patient.first_birth_given)]
    named += [(f"/patient/birth_given/{place}", name) for place, name in enumerate(patient.birth_given)]
    for path, name in named:
        # Not an error: the civil record decides, and a name keyed in by hand still designates the patient.
        if name and not _INSI_NAME.fullmatch(name):
            yield warning(
                "INS-018",
                path,
                "Trait de naissance écrit autrement qu'INSi ne le fait (capitales sans accents, tirets, apostrophes).",
                "Reprendre le trait tel qu'INSi l'a rendu.",
                "INSi, motif des noms",
            )


def check_against_digits(patient: Patient, matricule: Matricule) -> Iterator[Finding]:
    """Sex, year, month and department of the matricule against the traits: warnings only."""
    sexes = {Sex.MALE: _MALE, Sex.FEMALE: _FEMALE}
    if patient.sex in sexes and matricule.first not in sexes[patient.sex]:
        message = "Le sexe ne correspond pas au premier chiffre du matricule."
        yield _disagreement("INS-021", "/patient/sex", message, "possible après un changement d'état civil")
    born = patient.birth_date
    if born and (born.year % 100 != matricule.year or (matricule.month <= 12 and born.month != matricule.month)):
        message = "La date de naissance ne correspond pas aux chiffres du matricule."
        yield _disagreement("INS-022", "/patient/birth_date", message, "possible quand l'état civil a été rectifié")
    if patient.birth_place_cog and not _same_department(patient, matricule):
        message = "Le département de naissance ne correspond pas aux chiffres du matricule."
        why = "possible pour une naissance avant un redécoupage (Corse 1976, région parisienne 1968) ou outre-mer"
        yield _disagreement("INS-023", "/patient/birth_place_cog", message, why)


def _disagreement(code: str, path: str, message: str, why: str) -> Finding:
    return warning(code, path, message, f"Vérifier l'identité du patient ({why}).", "structure du NIR")


def _same_department(patient: Patient, matricule: Matricule) -> bool:
    present = (patient.birth_place_cog or "")[:2]
    if matricule.department == present:
        return True
    # Corsica was 20 until 1976; the birth place is given in today's code (spec kine §0.4).
    corsican = matricule.department == "20" and present in {"2A", "2B"}
    return corsican and (patient.birth_date is None or patient.birth_date.year < _CORSICA_SPLIT)
