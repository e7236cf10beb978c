"""A wrong address, a signature to renew, a document to take back: from the refusal to the end, over the sandbox."""

from __future__ import annotations

import json
from collections.abc import Iterator
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest

from gateway.api import Gateway
from gateway.api.linked import Linked
from gateway.errors import InputError, StateError
from gateway.sandbox.faults import Channel, FaultKind
from tests.integration.practice import Practice, case, open_practice

BILAN = "01_entorse_cheville_bilan"
SUMMARY = "01_entorse_cheville_compte_rendu"
DOCTOR = "helene.modele@medecin.mssante.example"
OTHER = "autre.modele@medecin.mssante.example"
GONE = "inconnu.modele@medecin.mssante.example"
BY = {"by": "Mme Martin", "reason": "boîte changée"}


@pytest.fixture
def practice(tmp_path: Path, certificates: Path) -> Iterator[Practice]:
    made = open_practice(tmp_path, certificates=certificates)
    yield made
    made.box.close()


@pytest.fixture
def gateway(practice: Practice) -> Iterator[Gateway]:
    with Gateway.open(practice.config) as opened:
        yield opened


def submission(address: str = GONE, name: str = BILAN, **changes: Any) -> bytes:
    value = case(name) | changes
    value["recipients"][0]["mssante"] = address
    return json.dumps(value).encode()


def one(gateway: Gateway, document: str, role: str = "medecin_traitant", purpose: str = "document") -> Any:
    """The last delivery of a document with this role and purpose."""
    found = [d for d in gateway.status(document).deliveries if (d.role, d.purpose) == (role, purpose)]
    return found[-1]


def mails(practice: Practice, to: str) -> list[EmailMessage]:
    found = []
    for mail in practice.box.mail.messages(to):
        message = message_from_bytes(mail.bytes, policy=policy.default)
        assert isinstance(message, EmailMessage)
        assert mail.findings == ()
        found.append(message)
    return found


def attached(mail: EmailMessage) -> dict[str, bytes]:
    found = {}
    for part in mail.iter_attachments():
        content = part.get_payload(decode=True)
        assert isinstance(content, bytes)
        found[part.get_filename() or ""] = content
    return found


def original(gateway: Gateway, delivery: str) -> EmailMessage:
    [message] = [part.data for part in gateway.store.parts(delivery) if part.name == "message"]
    read = message_from_bytes(message, policy=policy.default)
    assert isinstance(read, EmailMessage)
    return read


# ----------------------------------------------------------------------------------------------- a wrong address


def test_a_refused_address_is_followed_by_another_box_of_the_same_doctor(practice: Practice, gateway: Gateway) -> None:
    document = gateway.submit(submission()).document_id
    gateway.deliver_due()
    old = one(gateway, document)
    assert (old.transport, old.reason) == ("dead", "MSS-550-5.1.1")
    preview = gateway.linked.readdress(old.id, to=DOCTOR, name="Dr Hélène MODELE", dry_run=True, **BY)
    assert preview.delivery is None
    assert [finding.code for finding in preview.proposal.findings] == ["LNK-BY-NAME"]
    assert one(gateway, document).transport == "dead"
    new = gateway.readdress(old.id, to=DOCTOR, name="Dr Hélène MODELE", **BY).delivery
    assert new is not None
    assert gateway.deliver_due() == 1
    assert (one(gateway, document).id, one(gateway, document).transport) == (new.id, "sent")
    [mail] = mails(practice, DOCTOR)
    before = original(gateway, old.id)
    assert attached(mail) == attached(before)
    assert mail["Message-ID"] != before["Message-ID"]
    changed = {"To", "Message-ID", "Date", "Content-Type", "Received", "Return-Path"}
    kept = {name: value for name, value in before.items() if name not in changed}
    assert {name: mail[name] for name in kept} == kept
    texts = [part.get_body(("plain",)) for part in (mail, before)]
    assert len({text.get_content() for text in texts if text is not None}) == 1
    gone = gateway.delivery(old.id).view
    assert (gone.transport, gone.reason, gone.succeeded_by) == ("superseded", "ENG-READDRESSED", new.id)
    assert gateway.delivery(new.id).view.succeeds == old.id
    assert gateway.verify_journal().ok


def test_a_doctor_without_mailbox_gets_one_later(practice: Practice, gateway: Gateway) -> None:
    value = json.loads(submission())
    del value["recipients"][0]["mssante"]
    document = gateway.submit(json.dumps(value).encode()).document_id
    gateway.deliver_due()
    old = one(gateway, document)
    assert (old.transport, old.reason) == ("impossible", "DST-NO-BOX")
    gateway.readdress(old.id, to=DOCTOR, name="MODELE", **BY)
    gateway.deliver_due()
    assert one(gateway, document).transport == "sent"
    [mail] = mails(practice, DOCTOR)
    files = attached(mail)
    assert files["IHE_XDM.ZIP"] == gateway.rendering(document, "xdm")
    assert gateway.rendering(document, "pdf") in files.values()


@pytest.mark.parametrize(
    ("to", "name", "code"),
    [
        ("pas une adresse", None, "LNK-ADDRESS"),
        ("helene.modele@gmail.com", "MODELE", "DST-OUTSIDE"),
        ("186059912300142@patient.mssante.fr", "MODELE", "DST-PATIENT-BOX"),
        ("SELF", "MODELE", "DST-SELF"),
        (GONE, "MODELE", "LNK-SAME"),
        (DOCTOR, None, "LNK-UNVERIFIED"),
        (DOCTOR, "Dr Paul Autre", "LNK-OTHER-PERSON"),
    ],
)
def test_it_goes_nowhere_else(gateway: Gateway, to: str, name: str | None, code: str) -> None:
    document = gateway.submit(submission()).document_id
    gateway.deliver_due()
    old = one(gateway, document)
    to = gateway.settings.find_account(old.account).mailbox if to == "SELF" else to  # type: ignore[union-attr]
    with pytest.raises(InputError) as refused:
        gateway.readdress(old.id, to=to, name=name, **BY)
    assert code in [finding.code for finding in refused.value.findings]
    assert one(gateway, document) == old


def test_the_directory_decides_whose_box_it_is(gateway: Gateway, monkeypatch: pytest.MonkeyPatch) -> None:
    document = gateway.submit(submission()).document_id
    gateway.deliver_due()
    old = one(gateway, document)
    rpps = case(BILAN)["recipients"][0]["rpps"]
    monkeypatch.setattr(Linked, "_owners", lambda *_: {"10000000001"})
    refused = gateway.linked.readdress(old.id, to=DOCTOR, name="MODELE", dry_run=True, **BY).proposal
    assert [finding.code for finding in refused.findings] == ["LNK-OTHER-PERSON"]
    monkeypatch.setattr(Linked, "_owners", lambda *_: {rpps})
    found = gateway.linked.readdress(old.id, to=DOCTOR, dry_run=True, **BY).proposal
    assert [finding.code for finding in found.findings] == ["LNK-CONFIRMED"]
    assert found.link is not None


def test_the_directory_is_asked_for_the_present_address(
    practice: Practice, gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    from gateway.channels.annuaire.model import Box, BoxKind, Choice, Recheck, State, Verdict

    asked = []

    class Directory:
        def recheck(self, *about: Any, since: Any = None) -> Recheck:
            asked.append(about)
            box = Box(DOCTOR, BoxKind.PERSONAL)
            return Recheck(State.CHANGED, "Une autre boîte est publiée.", Choice(Verdict.ONE, "ANN-1", "", (box,)))

    monkeypatch.setattr(Linked, "_directory", lambda _: Directory())
    document = gateway.submit(submission()).document_id
    gateway.deliver_due()
    old = one(gateway, document)
    found = gateway.linked.suggestion(old.id)
    assert found is not None
    assert (found.state, found.addresses) == ("changed", (DOCTOR,))
    assert found.command.startswith(f"kine-gateway queue readdress {old.id} --to {DOCTOR} ")
    assert [about[:2] for about in asked] == [(case(BILAN)["recipients"][0]["rpps"], GONE)]
    assert one(gateway, document) == old  # nothing is readdressed by itself
    assert gateway.linked.suggestion(one(gateway, document, "dmp").id) is None
    assert len(asked) == 1


def test_what_was_sent_or_is_in_doubt_is_not_sent_elsewhere(practice: Practice, gateway: Gateway) -> None:
    sent = gateway.submit(submission(DOCTOR)).document_id
    gateway.deliver_due()
    practice.box.faults.set(Channel.MSSANTE, FaultKind.DROP_AFTER_DATA)
    doubtful = gateway.submit(submission(DOCTOR, SUMMARY)).document_id
    gateway.deliver_due()
    assert {one(gateway, sent).transport, one(gateway, doubtful).transport} == {"sent", "in_doubt"}
    for document, code in ((sent, "LNK-SENT"), (doubtful, "LNK-IN-DOUBT")):
        delivery = one(gateway, document).id
        for proposal in (
            gateway.linked.readdress(delivery, to=OTHER, name="MODELE", by="A", reason="x", dry_run=True).proposal,
            gateway.linked.reprepare(delivery, by="A", reason="x", dry_run=True).proposal,
        ):
            assert (proposal.link, [finding.code for finding in proposal.findings]) == (None, [code])


def test_what_may_have_arrived_once_is_not_readdressed_after_a_refusal(practice: Practice, gateway: Gateway) -> None:
    """In doubt, then sent again by a person, then refused: the first attempt may still have arrived."""
    practice.box.faults.set(Channel.MSSANTE, FaultKind.DROP_AFTER_DATA)
    practice.box.faults.set(Channel.MSSANTE, FaultKind.REJECT)
    value = json.loads(submission(DOCTOR))
    value["patient"]["delivery"] = "hand"
    document = gateway.submit(json.dumps(value).encode()).document_id
    gateway.deliver_due()
    delivery = one(gateway, document)
    assert delivery.transport == "in_doubt"
    gateway.retry(delivery.id, by="Mme Martin", reason="il n'a rien reçu")
    gateway.deliver_due()
    assert one(gateway, document).transport == "dead"
    with pytest.raises(InputError) as refused:
        gateway.readdress(delivery.id, to=OTHER, name="MODELE", **BY)
    assert [finding.code for finding in refused.value.findings] == ["LNK-MAYBE"]


def test_a_correction_follows_to_the_new_box(practice: Practice, gateway: Gateway) -> None:
    """Whatever address the billing software still has."""
    first = gateway.submit(submission()).document_id
    gateway.deliver_due()
    gateway.readdress(one(gateway, first).id, to=DOCTOR, name="MODELE", by="Mme Martin", reason="boîte changée")
    gateway.deliver_due()
    second = gateway.submit(submission(key="v2", replaces=first)).document_id
    gateway.deliver_due()
    old, new = mails(practice, DOCTOR)
    assert new["Subject"] == f"[Annule et remplace] {old['Subject']}"
    assert new["In-Reply-To"] == old["Message-ID"]
    assert gateway.status(first).replaced_by == second
    with pytest.raises(InputError) as refused:
        gateway.linked.reprepare(one(gateway, first, "dmp").id, by="Mme Martin", reason="x")
    assert [finding.code for finding in refused.value.findings] == ["LNK-REPLACED"]


def test_another_doctor_gets_a_version_of_his_own(gateway: Gateway) -> None:
    value = json.loads(submission())
    value["recipients"].append({**value["recipients"][0], "role": "autre_professionnel", "rpps": "10000000001"})
    value["recipients"][1] |= {"family": "AUTRE", "mssante": DOCTOR}
    document = gateway.submit(json.dumps(value).encode()).document_id
    gateway.deliver_due()
    with pytest.raises(InputError) as refused:
        gateway.readdress(one(gateway, document).id, to=DOCTOR, name="MODELE", **BY)
    assert {"LNK-OTHER-PERSON"} <= {finding.code for finding in refused.value.findings}


# ------------------------------------------------------------------------------------------------ packed anew


def test_a_refused_feed_is_packed_and_signed_anew(practice: Practice, gateway: Gateway) -> None:
    practice.box.faults.set(Channel.DMP, FaultKind.REJECT)
    document = gateway.submit(submission(DOCTOR)).document_id
    gateway.deliver_due()
    old = one(gateway, document, "dmp")
    assert old.transport in {"dead", "retry"}
    made = gateway.linked.reprepare(old.id, by="Mme Martin", reason="certificat renouvelé")
    assert made.delivery is not None
    gateway.deliver_due()
    new = one(gateway, document, "dmp")
    assert (new.transport, new.succeeds) == ("sent", old.id)
    parts = {name: {p.name: p.data for p in gateway.store.parts(name)} for name in (old.id, new.id)}
    assert parts[old.id]["document"] == parts[new.id]["document"]
    assert parts[old.id]["signature"] != parts[new.id]["signature"]
    [held] = practice.box.dmp.documents()
    assert held.content == parts[new.id]["document"]


def test_the_metadata_of_a_feed_packed_anew_say_the_same(gateway: Gateway) -> None:
    """But for what is drawn and for the time of submission, nothing changes."""
    import re

    document = gateway.submit(submission(DOCTOR)).document_id
    delivery = one(gateway, document, "dmp")
    gateway.hold(delivery.id, by="Mme Martin", reason="x")
    new = gateway.linked.reprepare(delivery.id, by="Mme Martin", reason="x").delivery
    assert new is not None
    assert (new.transport, new.reason) == ("held", "ENG-OPERATOR")

    def plain(one: str) -> bytes:
        [data] = [part.data for part in gateway.store.parts(one) if part.name == "metadata"]
        data = re.sub(rb"urn:uuid:[0-9a-f-]{36}", b"U", data)
        return re.sub(rb"(2\.25\.\d+)|(\d{14})", b"N", data)

    assert plain(delivery.id) == plain(new.id)


# ---------------------------------------------------------------------------------------------- withdrawing


def withdraw(gateway: Gateway, document: str, reason: str = "wrong_patient") -> Any:
    return gateway.withdraw(document, reason=reason, by="Mme Martin", note="dossier confondu")


def test_everything_is_taken_back_and_then_it_is_over(practice: Practice, gateway: Gateway) -> None:
    document = gateway.submit(submission(DOCTOR)).document_id
    gateway.deliver_due()
    plan = gateway.linked.plan_withdrawal(document, reason="wrong_patient", by="Mme Martin", note="x")
    assert sorted(step.what for step in plan.steps) == ["delete", "retract", "retract"]
    assert one(gateway, document, "dmp", "document").transport == "sent"
    started = withdraw(gateway, document)
    assert (started.ended, started.documents) == (False, (document,))
    gateway.deliver_due()
    view = gateway.linked.withdrawal(document)
    assert {(line.purpose, line.transport) for line in view.lines} == {
        ("document", "sent"),
        ("retraction", "sent"),
        ("deletion", "sent"),
    }
    assert view.ended
    first, back = mails(practice, DOCTOR)
    assert back["In-Reply-To"] == back["References"] == first["Message-ID"]
    assert back["Subject"].startswith("[Annulation] ")
    assert "XDM/1.0/DDM" not in back["Subject"]
    assert (back["X-MSS-CODECDA"], back["X-MSS-INS"]) == (None, None)
    assert back["X-MSS-NIL"] == first["X-MSS-NIL"]
    assert list(back.iter_attachments()) == []
    assert "il ne concerne pas ce patient" in back.get_content().replace("\n", " ")
    assert [held.status.rpartition(":")[2] for held in practice.box.dmp.documents()] == ["Deleted"]
    assert gateway.verify_journal().ok
    again = withdraw(gateway, document)
    assert again == view
    assert gateway.deliver_due() == 0
    assert len(mails(practice, DOCTOR)) == 2


def test_what_never_left_is_only_cancelled(practice: Practice, gateway: Gateway) -> None:
    document = gateway.submit(submission(DOCTOR)).document_id
    view = withdraw(gateway, document, "error")
    assert view.ended
    assert {line.transport for line in view.lines} == {"cancelled"}
    assert gateway.deliver_due() == 0
    assert practice.box.mail.all_messages() == []


def test_what_is_in_doubt_is_taken_back_too(practice: Practice, gateway: Gateway) -> None:
    practice.box.faults.set(Channel.MSSANTE, FaultKind.DROP_AFTER_DATA, count=2)
    document = gateway.submit(submission(DOCTOR)).document_id
    gateway.deliver_due()
    assert one(gateway, document).transport == "in_doubt"
    withdraw(gateway, document)
    gateway.deliver_due()
    assert one(gateway, document).transport == "cancelled"
    assert one(gateway, document, purpose="retraction").transport == "sent"
    assert len(mails(practice, DOCTOR)) == 2
    with pytest.raises(StateError, match=r"WDR-001|DLV-001"):
        gateway.retry(one(gateway, document).id, by="Mme Martin", reason="x")


def test_every_version_is_withdrawn(practice: Practice, gateway: Gateway) -> None:
    first = gateway.submit(submission(DOCTOR)).document_id
    gateway.deliver_due()
    second = gateway.submit(submission(DOCTOR, key="v2", replaces=first)).document_id
    gateway.deliver_due()
    view = withdraw(gateway, first, "error")
    assert view.documents == (second, first)
    gateway.deliver_due()
    assert gateway.linked.withdrawal(second).ended
    *sent, back = mails(practice, DOCTOR)
    assert back["In-Reply-To"] == sent[-1]["Message-ID"]
    assert back["References"].split() == [mail["Message-ID"] for mail in sent]
    assert {held.status.rpartition(":")[2] for held in practice.box.dmp.documents()} == {"Deleted"}
    with pytest.raises(InputError) as refused:
        gateway.submit(submission(DOCTOR, key="v3", replaces=second))
    assert [finding.code for finding in refused.value.findings] == ["DOC-RPL-WITHDRAWN"]


def test_a_retraction_that_is_refused_waits_for_a_person(practice: Practice, gateway: Gateway) -> None:
    document = gateway.submit(submission(DOCTOR)).document_id
    gateway.deliver_due()
    practice.box.faults.set(Channel.MSSANTE, FaultKind.REJECT, count=2)
    withdraw(gateway, document)
    gateway.deliver_due()
    view = gateway.linked.withdrawal(document)
    assert (view.ended, view.needs_person) == (False, True)
    for line in view.lines:
        if line.purpose == "retraction":
            assert "téléphone" in line.next_step
            gateway.handed(line.delivery, by="Mme Martin", reason="appelé", means="telephone")
    assert gateway.linked.withdrawal(document).ended


def test_paper_that_was_handed_over_becomes_an_errand(gateway: Gateway) -> None:
    value = json.loads(submission(DOCTOR))
    value["patient"]["delivery"] = "hand"
    document = gateway.submit(json.dumps(value).encode()).document_id
    gateway.handed(one(gateway, document, "patient").id, by="Mme Martin", reason="remis", means="main_propre")
    view = withdraw(gateway, document)
    assert (view.ended, view.needs_person) == (False, True)
    errand = one(gateway, document, "patient", "recall")
    assert (errand.transport, errand.reason) == ("held", "WDR-PAPER")
    gateway.handed(errand.id, by="Mme Martin", reason="repris et détruit", means="main_propre")
    assert gateway.linked.withdrawal(document).ended
