"""A corrected version, from the file to the doctor's mailbox and the DMP, whatever became of the first one."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Iterator
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from lxml import etree

from gateway.api import Gateway
from gateway.errors import InputError
from tests.integration.practice import ROOT, Practice, case, open_practice

BILAN = "01_entorse_cheville_bilan"
ACCOUNT = "cabinet-01"
DOCTOR = "helene.modele@medecin.mssante.example"
RPLC = "urn:ihe:iti:2007:AssociationType:RPLC"
NS = {"h": "urn:hl7-org:v3", "rim": "urn:oasis:names:tc:ebxml-regrep:xsd:rim:3.0"}


@pytest.fixture
def practice(tmp_path: Path, certificates: Path) -> Iterator[Practice]:
    made = open_practice(tmp_path, certificates=certificates)
    yield made
    made.box.close()


def corrected(replaces: str, text: str = "Texte corrigé", key: str = "correction-1") -> dict[str, Any]:
    value = case(BILAN)
    value |= {"key": key, "replaces": replaces}
    value["document"]["reason"] = text
    return value


def data(value: dict[str, Any]) -> bytes:
    return json.dumps(value).encode()


def mails(practice: Practice, to: str) -> list[EmailMessage]:
    found = []
    for mail in practice.box.mail.messages(to):
        message = message_from_bytes(mail.bytes, policy=policy.default)
        assert isinstance(message, EmailMessage)
        assert mail.findings == ()
        found.append(message)
    return found


def archive(mail: EmailMessage) -> tuple[etree._Element, etree._Element]:
    """CDA and metadata of a mail."""
    [part] = [part for part in mail.iter_attachments() if part.get_filename() == "IHE_XDM.ZIP"]
    content = part.get_payload(decode=True)
    assert isinstance(content, bytes)
    with zipfile.ZipFile(io.BytesIO(content)) as opened:
        return (
            etree.fromstring(opened.read("IHE_XDM/SUBSET01/DOC0001.XML")),
            etree.fromstring(opened.read("IHE_XDM/SUBSET01/METADATA.XML")),
        )


def values(root: etree._Element, path: str) -> list[str]:
    found = root.xpath(path, namespaces=NS)
    assert isinstance(found, list)
    return [str(one) for one in found]


def transports(gateway: Gateway, document: str) -> dict[str, str]:
    return {one.role: one.transport for one in gateway.status(document).deliveries}


def test_what_was_sent_is_replaced_everywhere(practice: Practice) -> None:
    with Gateway.open(practice.config) as gateway:
        first = gateway.submit(data(case(BILAN)))
        gateway.deliver_due()
        second = gateway.submit(data(corrected(first.document_id)))
        assert gateway.deliver_due() == 3
        assert set(transports(gateway, second.document_id).values()) == {"sent"}
        assert set(transports(gateway, first.document_id).values()) == {"sent"}
    old, new = mails(practice, DOCTOR)
    assert new["Subject"] == f"[Annule et remplace] {old['Subject']}"
    assert (new["In-Reply-To"], new["References"]) == (old["Message-ID"], old["Message-ID"])
    (old_cda, old_metadata), (new_cda, new_metadata) = archive(old), archive(new)
    parent = "h:relatedDocument[@typeCode='RPLC']/h:parentDocument"
    assert values(new_cda, f"{parent}/h:id/@root") == values(old_cda, "h:id/@root")
    assert values(new_cda, "h:setId/@root") == values(old_cda, "h:setId/@root")
    assert values(new_cda, f"{parent}/h:versionNumber/@value | h:versionNumber/@value") == ["2", "1"]
    assert values(old_cda, "h:relatedDocument/@typeCode") == []
    link = f"//rim:Association[@associationType='{RPLC}']"
    entry = "//rim:ExtrinsicObject/@id"
    assert values(new_metadata, f"{link}/@sourceObject") == values(new_metadata, entry)
    assert values(new_metadata, f"{link}/@targetObject") == values(old_metadata, entry)
    states = sorted((one.cda_version, one.status) for one in practice.box.dmp.documents())
    assert states == [(1, "Deprecated"), (2, "Approved")]


def test_what_never_left_is_superseded_and_goes_as_a_first_version(practice: Practice) -> None:
    with Gateway.open(practice.config) as gateway:
        first = gateway.submit(data(case(BILAN)))
        second = gateway.submit(data(corrected(first.document_id)))
        assert set(transports(gateway, first.document_id).values()) == {"superseded"}
        assert gateway.deliver_due() == 3
        assert set(transports(gateway, second.document_id).values()) == {"sent"}
    [mail] = mails(practice, DOCTOR)
    assert mail["Subject"].startswith("XDM/1.0/DDM+")
    assert mail["In-Reply-To"] is None
    cda, metadata = archive(mail)
    assert values(cda, "h:relatedDocument/@typeCode") == []
    assert values(metadata, f"//rim:Association[@associationType='{RPLC}']/@id") == []
    [document] = practice.box.dmp.documents()
    assert (document.status, b"Texte corrig" in document.content) == ("Approved", True)


def test_where_one_place_has_it_and_another_not_each_gets_what_fits(practice: Practice) -> None:
    with Gateway.open(practice.config) as gateway:
        first = gateway.submit(data(case(BILAN)))
        [dmp] = [one for one in gateway.status(first.document_id).deliveries if one.role == "dmp"]
        gateway.hold(dmp.id, by="Mme Martin", reason="doute")
        gateway.deliver_due()
        second = gateway.submit(data(corrected(first.document_id)))
        gateway.deliver_due()
        assert transports(gateway, first.document_id)["dmp"] == "superseded"
        assert set(transports(gateway, second.document_id).values()) == {"sent"}
        third = gateway.submit(data(corrected(second.document_id, "Encore corrigé", "correction-2")))
        gateway.deliver_due()
        assert set(transports(gateway, third.document_id).values()) == {"sent"}
        # Two editions of the second version, and each is replaced where it is.
        ids = [
            values(etree.fromstring(gateway.rendering(second.document_id, name)), "h:id/@root")
            for name in ("cda", "cda-2")
        ]
    assert ids[0] != ids[1]
    one, two, three = [archive(mail)[0] for mail in mails(practice, DOCTOR)]
    parent = "h:relatedDocument/h:parentDocument/h:id/@root"
    assert values(two, parent) == values(one, "h:id/@root")
    assert values(three, parent) == values(two, "h:id/@root")
    states = sorted((one.cda_version, one.status) for one in practice.box.dmp.documents())
    assert states == [(2, "Deprecated"), (3, "Approved")]
    assert {values(root, "h:setId/@root")[0] for root in (one, two, three)} == set(values(one, "h:setId/@root"))


def test_a_recipient_who_is_no_longer_named_still_gets_the_correction(practice: Practice) -> None:
    other = "paul.autre@medecin.mssante.example"
    with Gateway.open(practice.config) as gateway:
        first = gateway.submit(data(case(BILAN)))
        gateway.deliver_due()
        value = corrected(first.document_id)
        value["recipients"][0] |= {"mssante": other, "family": "AUTRE", "given": "Paul"}
        value["recipients"][0].pop("rpps", None)
        report = gateway.check(data(value))
        assert report.ok
        assert "DOC-RPL-FORMER" in {finding.code for finding in report.findings}
        assert {line.address for line in report.plan} >= {DOCTOR, other}
        second = gateway.submit(data(value))
        gateway.deliver_due()
        roles = {one.role: one.transport for one in gateway.status(second.document_id).deliveries}
    assert roles["autre_professionnel"] == "sent"
    assert len(mails(practice, DOCTOR)) == 2
    assert mails(practice, DOCTOR)[1]["Subject"].startswith("[Annule et remplace] ")


def refused(gateway: Gateway, value: dict[str, Any]) -> list[str]:
    with pytest.raises(InputError) as fault:
        gateway.submit(data(value))
    report = gateway.check(data(value))
    assert [one.code for one in report.findings] == [one.code for one in fault.value.findings]
    assert all(one.advice and one.path == "/replaces" for one in report.findings)
    return [one.code for one in fault.value.findings]


def test_what_cannot_be_replaced_stores_nothing(practice: Practice) -> None:
    with Gateway.open(practice.config) as gateway:
        first = gateway.submit(data(case(BILAN)))
        other = corrected(first.document_id)
        other["patient"]["ins"] = None
        other["patient"]["identity_status"] = "VALI"
        summary = case("01_entorse_cheville_compte_rendu")
        summary |= {"account": ACCOUNT, "author": case(BILAN)["author"], "patient": case(BILAN)["patient"]}
        summary |= {"replaces": first.document_id, "key": "x"}
        assert refused(gateway, corrected("2.25.1")) == ["DOC-RPL-UNKNOWN"]
        assert refused(gateway, other) == ["DOC-RPL-PATIENT"]
        assert refused(gateway, summary) == ["DOC-RPL-KIND"]
        assert len(gateway.deliveries()) == 3
        second = gateway.submit(data(corrected(first.document_id)))
        assert refused(gateway, corrected(first.document_id, "Encore", "c-3")) == ["DOC-RPL-AGAIN"]
        # Named by the identifier of its CDA, and the same order given twice is one document.
        row = gateway.store.document(second.document_id)
        third = gateway.submit(data(corrected(f"urn:oid:{row.unique_id}", "Encore", "c-3")))
        again = gateway.submit(data(corrected(f"urn:oid:{row.unique_id}", "Encore", "c-3")))
        assert (again.document_id, again.created) == (third.document_id, False)
        for delivery in gateway.status(third.document_id).deliveries:
            gateway.cancel(delivery.id, by="Mme Martin", reason="essai")
        gateway.store.erase(third.document_id, by="Mme Martin")
        assert refused(gateway, corrected(third.document_id, "Fin", "c-4")) == ["DOC-RPL-ERASED"]


def test_a_document_of_another_account_is_unknown(practice: Practice) -> None:
    with Gateway.open(practice.config) as gateway:
        first = gateway.submit(data(case(BILAN)))
        other = case("03_epaule_operee_bilan")
        other["replaces"] = first.document_id
        assert other["account"] != ACCOUNT
        assert refused(gateway, other) == ["DOC-RPL-UNKNOWN"]


def doubtful(practice: Practice, gateway: Gateway, channel: str) -> str:
    """A first version of which one delivery is in doubt, the others sent."""
    practice.box.faults.set(channel, "drop_after_data", count=1)
    first = gateway.submit(data(case(BILAN)))
    gateway.deliver_due()
    assert sorted(transports(gateway, first.document_id).values()) == ["in_doubt", "sent", "sent"]
    return first.document_id


def one(gateway: Gateway, document: str, transport: str) -> str:
    [found] = [d.id for d in gateway.status(document).deliveries if d.transport == transport]
    return found


def test_while_nobody_knows_whether_a_mail_arrived_the_correction_waits(practice: Practice) -> None:
    with Gateway.open(practice.config) as gateway:
        first = doubtful(practice, gateway, "mssante")
        report = gateway.check(data(corrected(first)))
        assert "DOC-RPL-AFTER" in {finding.code for finding in report.findings}
        second = gateway.submit(data(corrected(first)))
        gateway.deliver_due()
        waiting = one(gateway, second.document_id, "prepared")
        assert gateway.delivery(waiting).view.reason == "ENG-AFTER"
        gateway.store.act(one(gateway, first, "in_doubt"), "confirm_sent", by="Mme Martin", reason="reçu, a-t-il dit")
        gateway.deliver_due()
        assert set(transports(gateway, second.document_id).values()) == {"sent"}
        assert gateway.verify_journal().ok


def test_a_mail_that_did_not_arrive_is_not_sent_again_but_replaced(practice: Practice) -> None:
    with Gateway.open(practice.config) as gateway:
        first = doubtful(practice, gateway, "mssante")
        second = gateway.submit(data(corrected(first)))
        gateway.retry(one(gateway, first, "in_doubt"), by="Mme Martin", reason="jamais reçu")
        assert "superseded" in transports(gateway, first).values()
        gateway.deliver_due()
        assert set(transports(gateway, second.document_id).values()) == {"sent"}


def test_the_dmp_gets_both_versions_in_order(practice: Practice) -> None:
    with Gateway.open(practice.config) as gateway:
        first = doubtful(practice, gateway, "dmp")
        second = gateway.submit(data(corrected(first)))
        [waiting] = [d.id for d in gateway.status(second.document_id).deliveries if d.role == "dmp"]
        gateway.cancel(one(gateway, first, "in_doubt"), by="Mme Martin", reason="essai")
        held = gateway.delivery(waiting).view
        # Given up without knowing: only a person can say whether there is something to replace.
        assert (held.transport, held.reason) == ("held", "ENG-NO-PREDECESSOR")
        gateway.release(waiting, by="Mme Martin", reason="vu dans le DMP")
        gateway.deliver_due()
        assert set(transports(gateway, second.document_id).values()) == {"sent"}
    states = sorted((found.cda_version, found.status) for found in practice.box.dmp.documents())
    assert states == [(1, "Deprecated"), (2, "Approved")]


def correction(text: str, key: str) -> dict[str, Any]:
    return corrected("@previous", text, key)


def test_the_folder_corrects_what_the_name_stands_for(practice: Practice) -> None:
    practice.drop(case(BILAN), "martin", ACCOUNT)
    practice.run()
    first = practice.status(ACCOUNT, "martin")
    practice.drop(correction("Corrigé", "c-1"), "martin", ACCOUNT)
    practice.run()
    second = practice.status(ACCOUNT, "martin")
    jsonschema.validate(second, json.loads((ROOT / "docs" / "schemas" / "status.json").read_bytes()))
    assert (second["replaces"], second["needs_person"]) == (first["document_id"], False)
    assert {one["transport"] for one in second["deliveries"]} == {"sent"}
    assert len(mails(practice, DOCTOR)) == 2
    kept = json.loads((practice.outbox(ACCOUNT) / "status" / f"martin~{first['document_id']}.json").read_bytes())
    assert kept["document_id"] == first["document_id"]


def test_a_correction_that_survived_a_crash_is_not_taken_twice(practice: Practice) -> None:
    practice.drop(case(BILAN), "martin", ACCOUNT)
    practice.run()
    practice.drop(correction("Corrigé", "c-1"), "martin", ACCOUNT)
    practice.run()
    second = practice.status(ACCOUNT, "martin")
    # The same file is still there at the next start: its status already stands for it.
    practice.drop(correction("Corrigé", "c-1"), "martin", ACCOUNT)
    practice.run()
    assert practice.status(ACCOUNT, "martin")["document_id"] == second["document_id"]
    assert len(mails(practice, DOCTOR)) == 2
    assert not list((practice.outbox(ACCOUNT) / "rejected").iterdir())


def test_a_correction_of_nothing_is_refused(practice: Practice) -> None:
    practice.drop(correction("Corrigé", "c-1"), "inconnu", ACCOUNT)
    practice.run()
    report = json.loads((practice.outbox(ACCOUNT) / "rejected" / "inconnu.report.json").read_bytes())
    assert [found["code"] for found in report["findings"]] == ["FLD-003"]


def test_the_paper_to_hand_over_is_the_corrected_one(practice: Practice) -> None:
    value = case(BILAN)
    value["patient"]["delivery"] = "post"
    practice.drop(value, "martin", ACCOUNT)
    practice.run()
    paper = practice.outbox(ACCOUNT) / "a_imprimer" / "martin.pdf"
    before = paper.read_bytes()
    practice.drop({**value, "key": "c-1", "replaces": "@previous"}, "martin", ACCOUNT)
    practice.run()
    with Gateway.open(practice.config) as gateway:
        now = gateway.rendering(practice.status(ACCOUNT, "martin")["document_id"], "pdf")
    assert before != now == paper.read_bytes()


def test_a_waiting_correction_tells_a_person_what_to_settle(practice: Practice) -> None:
    practice.box.faults.set("mssante", "drop_after_data", count=1)
    practice.drop(case(BILAN), "martin", ACCOUNT)
    practice.run()
    practice.drop(correction("Corrigé", "c-1"), "martin", ACCOUNT)
    practice.run()
    status = practice.status(ACCOUNT, "martin")
    assert (status["done"], status["needs_person"]) == (False, True)
    assert "martin" in (practice.outbox(ACCOUNT) / "A_FAIRE.html").read_text(encoding="utf-8")
    action = {"format": "kine-gateway/action/1", "action": "retry", "by": "Mme Martin", "reason": "jamais reçu"}
    practice.drop({**action, "document": status["replaces"]}, "reponse", ACCOUNT, suffix=".action.json")
    practice.run()
    settled = practice.status(ACCOUNT, "martin")
    assert {one["transport"] for one in settled["deliveries"]} == {"sent"}
    assert (settled["done"], settled["needs_person"]) == (True, False)


def test_a_delivery_that_leaves_while_the_correction_is_made(
    practice: Practice, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The correction was prepared for deliveries that had not left; before it is committed they have."""
    with Gateway.open(practice.config) as gateway:
        first = gateway.submit(data(case(BILAN)))
        prepare, made = gateway._prepare, []

        def racing(*given: Any, **named: Any) -> Any:
            made.append(prepare(*given, **named))
            if len(made) == 1:
                gateway.deliver_due()
            return made[-1]

        monkeypatch.setattr(gateway, "_prepare", racing)
        second = gateway.submit(data(corrected(first.document_id)))
        assert [len(one.supersedes) for one in made] == [3, 0]
        gateway.deliver_due()
        assert set(transports(gateway, first.document_id).values()) == {"sent"}
        assert set(transports(gateway, second.document_id).values()) == {"sent"}
    assert [mail["Subject"].startswith("[Annule et remplace] ") for mail in mails(practice, DOCTOR)] == [False, True]
