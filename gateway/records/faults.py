"""What is wrong with a submission file, in French, with a JSON Pointer and never a word of its content.

A finding is shown, logged and stored in clear: it names the place and the expected shape, not the value that
stood there. A key of the file is repeated only when it is a field of the schema or looks like a field name.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic_core import ErrorDetails

from gateway.findings import Finding, error

MAX_FINDINGS = 100
"""A file with more faults than that is the wrong file: the rest is counted, not listed."""

_FIELD_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,39}")
_UNION_TAGS = ("assessment", "treatment_summary", "reorientation_letter", "prescriber_information")


@dataclass(frozen=True, slots=True)
class _Fault:
    """Code, message and advice of one kind of fault; `{...}` takes a limit from pydantic's context."""

    code: str
    message: str
    advice: str
    source: str = ""


_TEXT = "Écrire un texte entre guillemets."
_SCHEMA = "Voir le schéma JSON publié (docs/schemas/submission.json)."
_DATE = "Écrire la date sous la forme AAAA-MM-JJ, par exemple 2026-01-05."
_INSTANT = "Écrire la date, l'heure et le décalage, par exemple 2026-01-05T14:30:00+01:00."
_NUMBER = "Écrire un nombre avec un point décimal, par exemple 53.5."
_KINDS = "Renseigner « kind » : assessment, treatment_summary, reorientation_letter ou prescriber_information."
_WHOLE = "Écrire un nombre entier, sans guillemets ni décimales."

_FAULTS: Mapping[str, _Fault] = {
    "extra_forbidden": _Fault("INP-003", "Champ inconnu.", f"Retirer le champ ou corriger son nom. {_SCHEMA}"),
    "missing": _Fault("INP-004", "Champ obligatoire absent.", "Renseigner ce champ."),
    "control_character": _Fault(
        "INP-006",
        "Caractère de contrôle interdit dans un texte.",
        "Retirer de ce champ les retours à la ligne, les caractères invisibles et les marques de sens d'écriture.",
        "XML 1.0 §2.2, RFC 5322 §2.2",
    ),
    "string_unicode": _Fault(
        "INP-006", "Texte mal codé (demi-caractère isolé).", "Exporter le texte en UTF-8 valide.", "RFC 8259 §8.2"
    ),
    "naive_datetime": _Fault("INP-007", "Date et heure sans fuseau.", _INSTANT),
    "not_iso_instant": _Fault("INP-007", "Date et heure illisibles.", _INSTANT, "RFC 3339"),
    "absurd_offset": _Fault("INP-007", "Décalage horaire impossible.", _INSTANT),
    "not_iso_date": _Fault("INP-008", "Date illisible.", _DATE, "ISO 8601"),
    "absurd_date": _Fault("INP-008", "Date hors de toute vraisemblance.", f"Corriger l'année. {_DATE}"),
    "string_type": _Fault("INP-005", "Un texte est attendu ici.", _TEXT),
    "string_too_short": _Fault("INP-005", "Texte vide.", "Renseigner le texte ou retirer le champ."),
    "string_too_long": _Fault("INP-005", "Texte trop long.", "Au plus {max_length} caractères."),
    "title_too_long": _Fault(
        "INP-005", "Titre trop long.", "Au plus 128 octets en UTF-8 : une lettre accentuée en compte deux.", "ITI TF-3"
    ),
    "string_pattern_mismatch": _Fault("INP-005", "Valeur de forme inattendue.", "Attendu : {shape}."),
    "literal_error": _Fault("INP-005", "Valeur hors de la liste permise.", "Valeurs permises : {expected}."),
    "enum": _Fault("INP-005", "Valeur hors de la liste permise.", "Valeurs permises : {expected}."),
    "bool_type": _Fault("INP-005", "Vrai ou faux est attendu ici.", "Écrire true ou false, sans guillemets."),
    "int_type": _Fault("INP-005", "Un nombre entier est attendu ici.", _WHOLE),
    "int_from_float": _Fault("INP-005", "Un nombre entier est attendu ici.", _WHOLE),
    "greater_than_equal": _Fault("INP-005", "Nombre trop petit.", "Au moins {ge}."),
    "less_than_equal": _Fault("INP-005", "Nombre trop grand.", "Au plus {le}."),
    "not_a_number": _Fault("INP-005", "Un nombre est attendu ici.", _NUMBER),
    "decimal_type": _Fault("INP-005", "Un nombre est attendu ici.", _NUMBER),
    "decimal_parsing": _Fault("INP-005", "Un nombre est attendu ici.", _NUMBER),
    "finite_number": _Fault("INP-005", "Nombre infini ou indéfini.", _NUMBER),
    "decimal_max_digits": _Fault("INP-005", "Nombre démesuré.", "Au plus {max_digits} chiffres."),
    "decimal_whole_digits": _Fault("INP-005", "Nombre démesuré.", "Au plus {whole_digits} chiffres avant le point."),
    "decimal_max_places": _Fault("INP-005", "Trop de décimales.", "Au plus {decimal_places} décimales."),
    "measure_without_value": _Fault(
        "INP-004", "Mesure sans valeur.", "Renseigner « value » et « unit », ou « not_done » avec la raison."
    ),
    "measure_without_unit": _Fault("INP-004", "Mesure sans unité.", "Renseigner « unit »."),
    "measured_and_not_done": _Fault(
        "INP-005", "Mesure à la fois faite et non faite.", "Garder « value » et « unit », ou « not_done »."
    ),
    "tuple_type": _Fault("INP-005", "Une liste est attendue ici.", "Écrire la liste entre crochets, même vide : []."),
    "too_long": _Fault("INP-005", "Liste trop longue.", "Au plus {max_length} éléments."),
    "too_short": _Fault("INP-005", "Liste trop courte.", "Au moins {min_length} élément(s)."),
    "model_type": _Fault("INP-005", "Un objet est attendu ici.", f"Écrire un objet entre accolades. {_SCHEMA}"),
    "model_attributes_type": _Fault(
        "INP-005", "Un objet est attendu ici.", f"Écrire un objet entre accolades. {_SCHEMA}"
    ),
    "union_tag_not_found": _Fault("INP-004", "Le type du document manque.", _KINDS),
    "union_tag_invalid": _Fault("INP-005", "Type de document inconnu.", _KINDS),
    # A calendar that has no such day: the shape was right, the day is not.
    "date_from_datetime_parsing": _Fault("INP-008", "Cette date n'existe pas au calendrier.", _DATE),
    "date_parsing": _Fault("INP-008", "Cette date n'existe pas au calendrier.", _DATE),
    "datetime_parsing": _Fault("INP-007", "Cette date ou cette heure n'existe pas.", _INSTANT),
    "datetime_from_date_parsing": _Fault("INP-007", "Cette date ou cette heure n'existe pas.", _INSTANT),
}
SHAPES: Mapping[str, str] = {
    "account": "un identifiant de compte en minuscules (a-z, 0-9, point, tiret)",
    "act_coefficient": "un coefficient de la NGAP, par exemple 8.5",
    "act_letter": "une lettre-clé de 2 à 5 capitales",
    "birth_place_cog": "un code INSEE de commune ou de pays, 5 caractères (22278, 2A004, 99139)",
    "code": "un code du catalogue, sans espace ni accent",
    "department": "un département : 2 chiffres, 2A, 2B ou 971 à 978",
    "facility_type": "un code de type de structure (JDV_J02), par exemple SA07",
    "mssante": "une adresse de messagerie sans espace ni accent",
    "oid": "un OID : des nombres séparés par des points",
    "postal_code": "un code postal",
    "practice_setting": "un code de cadre d'exercice (JDV_J04), par exemple AMBULATOIRE",
    "profession": "un code de profession (JDV_J01), par exemple G15_70",
    "root": "un OID : des nombres séparés par des points",
    "rpps": "un numéro RPPS, 11 chiffres",
    "sha256": "une empreinte SHA-256 : 64 chiffres hexadécimaux en minuscules",
    "value": "des chiffres ou des caractères sans espace ni accent",
}
"""What a field with a pattern expects, in words: a regular expression tells a physiotherapist nothing."""

_UNSAID = "voir le schéma JSON"
_OTHER = _Fault("INP-005", "Valeur refusée.", _SCHEMA)


def findings(details: Sequence[ErrorDetails]) -> list[Finding]:
    """One finding for each fault, the first `MAX_FINDINGS` of them, then how many were left out."""
    found = [_finding(detail) for detail in details[:MAX_FINDINGS]]
    left = len(details) - len(found)
    if left:
        message = f"{left} autres anomalies ne sont pas listées."
        found.append(error("INP-012", "", message, "Vérifier que ce fichier est bien une saisie de la passerelle."))
    return found


def pointer(steps: Sequence[int | str]) -> str:
    """A JSON Pointer (RFC 6901); a step that does not look like a field name ends it."""
    return "".join(f"/{step}" for step in _shown(steps))


def _shown(steps: Sequence[int | str]) -> Iterator[int | str]:
    for place, step in enumerate(steps):
        # pydantic names the branch of the union that it took: that is no key of the file.
        if place == 1 and steps[0] == "document" and step in _UNION_TAGS:
            continue
        if isinstance(step, str) and not _FIELD_NAME.fullmatch(step):
            return
        yield step


def _finding(detail: ErrorDetails) -> Finding:
    context: dict[str, Any] = detail.get("ctx", {})
    kind = str(context.get("error", "")) if detail["type"] == "value_error" else detail["type"]
    fault = _FAULTS.get(kind, _OTHER)
    limits = _Limits(context, shape=_shape(detail["loc"]))
    advice = fault.advice.format_map(limits) if "{" in fault.advice else fault.advice
    return error(fault.code, pointer(detail["loc"]), fault.message, advice, fault.source)


def _shape(steps: Sequence[int | str]) -> str:
    return next((SHAPES[step] for step in reversed(steps) if isinstance(step, str) and step in SHAPES), _UNSAID)


class _Limits(dict[str, Any]):
    """Limits of a constraint; one that a later pydantic does not give is left to the schema."""

    def __missing__(self, key: str) -> str:
        return _UNSAID
