"""A replacement writes in the practice: the document is theirs, the mailbox stays the owner's."""

from __future__ import annotations

import email
import email.policy
import json
from pathlib import Path

from gateway.api import Gateway
from tests.integration.practice import case, open_practice

REPLACEMENT = "99700009995"


def test_a_replacements_document_leaves_from_the_owners_box(tmp_path: Path, certificates: Path) -> None:
    practice = open_practice(tmp_path, certificates=certificates)
    value = case("07_bpco_bilan")
    owner = value["author"]["rpps"]
    text = practice.config.read_text(encoding="utf-8")
    named = text.replace(f'rpps = "{owner}"', f'rpps = "{owner}"\nreplacements = ["{REPLACEMENT}"]')
    assert named != text
    practice.config.write_text(named, encoding="utf-8")
    value["author"] |= {"rpps": REPLACEMENT, "family": "SUPPLEANTE", "given": "Iris"}
    value["access"]["practitioner_status"] = "remplacant"
    with Gateway.open(practice.config) as gateway:
        report = gateway.check(json.dumps(value).encode())
        assert report.ok, report.findings
        assert "CPT-005" in {one.code for one in report.findings}
        accepted = gateway.submit(json.dumps(value).encode())
        gateway.deliver_due()
        found = gateway.deliveries(document_id=accepted.document_id)
        assert {one.transport for one in found if one.channel == "mssante"} == {"sent"}
        assert [one.transport for one in found if one.channel == "dmp"] == ["sent"]
        assert b"SUPPLEANTE" in gateway.rendering(accepted.document_id, "cda")
        account = gateway.settings.find_account(value["account"])
        assert account is not None
        [mail] = [one for one in found if one.destination == "medecin_traitant"]
        message = email.message_from_bytes(
            next(part.data for part in gateway.store.parts(mail.id) if part.name == "message"),
            policy=email.policy.default,
        )
        assert account.mailbox in str(message["From"])
        assert "SUPPLEANTE" not in str(message["From"])
        [facts] = gateway.store.facts()
        assert facts.care.practitioner_status == "remplacant"
    practice.box.close()
