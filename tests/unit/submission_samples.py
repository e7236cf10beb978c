"""A sound assessment and a sound summary as JSON objects, and the means to spoil them one field at a time."""

from __future__ import annotations

import copy
import json
from typing import Any

from gateway.findings import Finding
from gateway.records.submission import Submission, parse
from gateway.settings import AccountSettings

TEST_OID = "1.2.250.1.213.1.4.10"
PRODUCTION_OID = "1.2.250.1.213.1.4.8"

_COMMON: dict[str, Any] = {
    "format": "kine-gateway/submission/1",
    "account": "cabinet-essai",
    "patient": {
        "ins": {"matricule": "201032227890155", "oid": TEST_OID},
        "identity_status": "QUAL",
        "identifiers": [{"root": "1.2.250.1.99999.1", "value": "IPP-0001"}],
        "birth_family": "LE GOFF-ESSAI",
        "birth_given": ["MAELYS", "ANNE"],
        "first_birth_given": "MAELYS",
        "used_family": "Le Goff-Essai",
        "used_given": "Maëlys",
        "sex": "F",
        "birth_date": "2001-03-14",
        "birth_place_cog": "22278",
        "dmp": {"exists": True},
    },
    "author": {"rpps": "99700001011", "family": "TESTOU", "given": "Gwenaël"},
    "organization": {"id": {"kind": "rpps_rang", "value": "99700001011000"}, "name": "Cabinet FICTIF"},
    "recipients": [
        {
            "role": "medecin_traitant",
            "rpps": "99700002019",
            "family": "MODELE",
            "given": "Hélène",
            "mssante": "helene.modele@medecin.mssante.example",
        }
    ],
    "access": {
        "mode": "direct_cpts",
        "department": "22",
        "declared_to_ars_on": "2025-09-01",
        "cpts": {"name": "CPTS FICTIVE", "department": "22", "proof_valid_until": "2026-12-31"},
        "episode": {"id": "EP-01", "start": "2025-10-06"},
    },
}
_CARE: dict[str, Any] = {
    "reason": "Torsion de cheville droite au handball il y a 48 h",
    "problems": [{"label": "Entorse de la cheville", "side": "droite"}],
    "body_site": {"label": "cheville", "side": "droite"},
    "diagnosis": "Entorse latérale de cheville droite, stade bénin.",
}
_ASSESSMENT: dict[str, Any] = {
    "kind": "assessment",
    "id": "BDK-01",
    "date": "2025-10-06T09:30:00+02:00",
    **_CARE,
    "history": {"conditions": ["Entorse homolatérale 2022"]},
    "icf": [{"code": "b28015"}],
    "goals": [{"text": "Marche sans boiterie", "due": "2025-10-13"}],
    "measures": [
        {"code": "pain_nrs", "value": 6, "unit": "{score}", "context": "mouvement"},
        {"code": "rom_active_dorsiflexion", "value": 5, "unit": "deg", "site": "cheville", "side": "droite"},
    ],
    "prognosis": "Favorable",
    "plan": {"sessions_planned": 6, "frequency": "2 par semaine", "techniques": ["Proprioception"]},
    "red_flags": {"checked": ["appui_impossible_4_pas"], "decision": "pas_de_reorientation"},
    "consent": {"care": True, "sharing_informed": True, "date": "2025-10-06"},
}
_SUMMARY: dict[str, Any] = {
    "kind": "treatment_summary",
    "id": "CR-01",
    "date": "2025-10-30T18:05:00+01:00",
    **_CARE,
    "goals": [{"text": "Marche sans boiterie", "due": "2025-10-13", "reached": True}],
    "measures": [{"code": "pain_nrs", "value": 1, "unit": "{score}", "context": "mouvement"}],
    "initial_date": "2025-10-06T09:30:00+02:00",
    "initial_measures": [{"code": "pain_nrs", "value": 6, "unit": "{score}", "context": "mouvement"}],
    "period": {"start": "2025-10-06", "end": "2025-10-30"},
    "sessions_done": 2,
    "sessions": [{"n": 1, "date": "2025-10-06", "act_letter": "RIM"}, {"n": 2, "date": "2025-10-30"}],
    "treatment_done": ["Proprioception"],
    "evolution": "Récupération de la mobilité.",
    "outcome": "objectifs_atteints",
    "end_reason": "fin_de_traitement",
    "advice": "Port d'une chevillère au sport.",
}


def assessment() -> dict[str, Any]:
    """A sound assessment, to be changed freely."""
    return {**copy.deepcopy(_COMMON), "document": copy.deepcopy(_ASSESSMENT)}


def summary() -> dict[str, Any]:
    """A sound treatment summary, to be changed freely."""
    return {**copy.deepcopy(_COMMON), "document": copy.deepcopy(_SUMMARY)}


def put(value: dict[str, Any], pointer: str, new: Any) -> dict[str, Any]:
    """`value` with the place that a JSON Pointer names set to `new` (`...` removes it)."""
    *parents, last = pointer.strip("/").split("/")
    place: Any = value
    for step in parents:
        place = place[int(step)] if isinstance(place, list) else place.setdefault(step, {})
    if isinstance(place, list):
        last = int(last)  # type: ignore[assignment]
    if new is ...:
        del place[last]
    else:
        place[last] = new
    return value


def read(value: Any) -> tuple[Submission | None, list[Finding]]:
    """Parse an object as a file would be."""
    return parse(json.dumps(value).encode())


def sound(value: dict[str, Any]) -> Submission:
    """The submission; fails the test when it is refused."""
    submission, findings = read(value)
    assert submission is not None, findings
    return submission


def account(**changes: Any) -> AccountSettings:
    """The account of the samples, with a mailbox and a DMP."""
    tls = {"ca_file": "ca.pem"}
    values: dict[str, Any] = {
        "id": "cabinet-essai",
        "rpps": "99700001011",
        "mailbox": "gwenael.testou@kine.mssante.example",
        "display_name": "M_Gwenael_TESTOU",
        "oid_root": "1.2.250.1.99999.1",
        "nil": "DEV000000",
        "smtp": {"host": "127.0.0.1", "tls": tls},
        "dmp": {"url": "https://127.0.0.1", "tls": tls, "sign_cert_file": "c.pem", "sign_key_file": "k.pem"},
    }
    return AccountSettings.model_validate({**values, **changes})
