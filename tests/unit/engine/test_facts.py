"""What is frozen of a submission, over every fixture: codes, numbers and dates, and none of its words."""

from __future__ import annotations

import json
from dataclasses import asdict
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from gateway.engine import facts, stored
from gateway.findings import warning
from gateway.records.submission import Submission, canonical, parse
from gateway.store.facts import Adverse, CareFacts, Referral
from tests.unit.store import kit

CASES = sorted((Path(__file__).parents[3] / "fixtures" / "cases").glob("*.json"))


def submission(name: str, **document: Any) -> Submission:
    value = json.loads(next(path for path in CASES if path.stem == name).read_bytes())
    value["document"] |= document
    parsed, found = parse(json.dumps(value).encode())
    assert parsed is not None, found
    return parsed


def care(name: str, **document: Any) -> CareFacts:
    return facts.of(submission(name, **document)).care


def words(value: Any) -> set[str]:
    if isinstance(value, dict):
        return {word for key, inner in value.items() if key != "code" for word in words(inner)}
    if isinstance(value, list):
        return {word for inner in value for word in words(inner)}
    return {value} if isinstance(value, str) and (" " in value or value.isupper()) and len(value) > 4 else set()


@pytest.mark.parametrize("path", CASES, ids=lambda path: path.stem)
def test_no_words_of_a_submission_are_frozen(path: Path) -> None:
    value = json.loads(path.read_bytes())
    parsed, _ = parse(path.read_bytes())
    assert parsed is not None
    frozen = json.dumps(asdict(facts.of(parsed).care), default=str, ensure_ascii=False)
    texts = words(value["patient"]) | words(value["document"]) | words(value["author"]) | words(value["recipients"])
    assert len(texts) > 10
    assert [text for text in texts if text in frozen] == []
    assert parsed.access.mode.value in frozen  # the search does see what is there


def test_a_summary_says_what_was_done() -> None:
    found = care("01_entorse_cheville_compte_rendu")
    assert (found.mode, found.claimed, found.department) == ("direct_cpts", "direct_cpts", "22")
    assert (found.episode_start, found.sessions_done, len(found.sessions)) == (date(2025, 10, 6), 6, 6)
    assert found.sessions == tuple(sorted(found.sessions))
    assert (found.region, found.side) == ("361292008", "droite")
    assert found.motives == ("CIM-10:S93.4",)
    assert (found.outcome, found.end_reason) == ("objectifs_atteints", "fin_de_traitement")


def test_what_a_document_may_not_claim_is_told_apart() -> None:
    ninth = [warning("ACC-014", "", "", "")]
    found = facts.of(submission("01_entorse_cheville_compte_rendu"), ninth).care
    assert (found.mode, found.claimed) == ("direct_cpts", "non_etabli")


def test_referrals_and_events_keep_their_codes_and_lose_free_words() -> None:
    found = care("06_suivi_avc_compte_rendu")
    assert found.referral is not None
    assert found.referral.to == "autre_medecin"
    assert found.adverse == (Adverse(date(2025, 9, 24), "chute_sans_blessure", "legere", True),)
    event = {"id": "1", "date": "2025-09-26", "kind": "chute chez M. LE GOFF-ESSAI", "severity": "grave"}
    referral = {"to": "Dr DUPONT", "date": "2025-10-01", "reason": "avis", "urgency": "24h"}
    free = care("06_suivi_avc_compte_rendu", adverse_events=[event], reorientation=referral)
    assert free.adverse == (Adverse(date(2025, 9, 26), None, "grave", False),)
    assert free.referral == Referral(date(2025, 10, 1), None, "24h")


def test_an_information_of_the_prescriber_says_what_changed() -> None:
    found = care("15_hanche_information_renouvellement")
    assert (found.kind, found.change, found.mode) == ("prescriber_information", "renouvellement", "renewal")


def test_a_region_in_free_words_has_no_code() -> None:
    assert care("06_suivi_avc_compte_rendu").region is None


def test_the_proof_of_a_prior_diagnosis_is_a_type_a_date_and_a_hash() -> None:
    value = json.loads(next(path for path in CASES if path.stem == "03_epaule_operee_compte_rendu").read_bytes())
    value["access"]["proof"] |= {"sha256": "ab" * 32, "reference": "armoire 3", "issuer": "Dr DUPONT"}
    parsed, found = parse(json.dumps(value).encode())
    assert parsed is not None, found
    kept = facts.of(parsed).care
    assert (kept.proof, kept.proof_date, kept.proof_sha256) == ("cr_operatoire", parsed.access.proof.date, "ab" * 32)  # type: ignore[union-attr]
    assert "armoire" not in str(kept)
    assert "DUPONT" not in str(kept)


def test_what_an_earlier_release_took_over_is_completed(tmp_path: Path) -> None:
    parsed = submission("01_entorse_cheville_compte_rendu")
    store = kit.open_store(tmp_path)
    patient = stored.patient_key(parsed.patient)
    about: dict[str, Any] = {
        "submission": canonical(parsed),
        "patient": patient,
        "findings": ("ACC-014",),
        "facts": None,
    }
    document = store.accept(kit.request("a", **about)).document_id
    erased = store.accept(kit.request("b", kit.mail(), **about, document_type="other")).document_id
    for delivery in store.document(erased).delivery_ids:
        store.act(delivery, "cancel", by="Anne", reason="essai")
    store.erase(erased, by="Anne")
    assert facts.complete(store) == 1
    [found] = store.facts()
    assert found.document_id == document
    assert found.care == facts.of(parsed, [warning("ACC-014", "", "", "")]).care
    assert found.care.claimed == "non_etabli"  # by the codes of the findings that were kept
    assert facts.complete(store) == 0
    store.close()
