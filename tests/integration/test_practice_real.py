"""A whole practice over a real Postfix and Dovecot: what is sent, what comes home, and what a person does about it.

The doctor's software is played by the test, whose answers go through the real Postfix into the practice's own box.
"""

from __future__ import annotations

import io
import json
import time
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from email import message_from_bytes
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pypdf
import pytest

from gateway.api import Gateway
from gateway.clock import SystemClock
from gateway.errors import InputError
from gateway.sandbox.annuaire import KEY, Box, Professional
from gateway.views import DeliveryView
from tests.integration.mailserver import CLOSED_PATIENT, GONE, HOSPITAL
from tests.integration.practice import Practice, case, open_practice
from tests.integration.real_practice import DOCTOR_DOMAIN, RealPractice, open_real, post
from tests.unit.read import report_samples as samples
from tests.unit.read.report_samples import OLD_ERROR, Sent

if TYPE_CHECKING:
    from tests.integration.mailserver import RealMail

BILAN, URGENT_LETTER, CORSICAN = "01_entorse_cheville_bilan", "14_chute_lettre_urgence", "07_bpco_bilan"
OPERATOR = '[receipts]\nreporters = ["operateur.test.mssante.fr"]\n'
"""Postfix reports under its own name, which no list of the trust space holds."""


class Later(SystemClock):
    """Some time from now."""

    def __init__(self, **later: float) -> None:
        self._later = timedelta(**later)

    def now(self) -> datetime:
        return super().now() + self._later


def opened(folder: Path, mail: RealMail, name: str, of: str = BILAN, **more: Any) -> RealPractice:
    return open_real(folder, mail, name, of=of, **{"tables": OPERATOR, **more})


def document(of: str, doctor: str | None, *, to_patient: bool = False, key: str = "", **doctor_is: Any) -> bytes:
    """A fixture for one doctor's box (None: for no doctor), and the patient's own where `to_patient`."""
    value = case(of)
    value["key"] += key
    value["document"]["id"] = str(value["document"].get("id") or value["key"]) + key
    first = {**value["recipients"][0], "known": True, "mssante": doctor, **doctor_is}
    value["recipients"] = [first] if doctor else []
    value["patient"]["delivery"] = "mssante" if to_patient else "hand"
    value["patient"]["dmp"] = {"exists": False}
    return json.dumps(value).encode()


def mail_of(gateway: Gateway, document_id: str, destination: str = "") -> DeliveryView:
    found = [one for one in gateway.status(document_id).deliveries if one.channel == "mssante"]
    return next(one for one in found if not destination or one.destination == destination)


def sent(gateway: Gateway, data: bytes, destination: str = "") -> DeliveryView:
    """Submit and deliver; the mail of a destination."""
    made = gateway.submit(data).document_id
    gateway.deliver_due()
    found = mail_of(gateway, made, destination)
    assert found.transport == "sent", found
    return found


def come_home(gateway: Gateway, delivery: str, done: Callable[[DeliveryView], bool], seconds: float = 15) -> Any:
    """Look at the box until a delivery stands as wanted."""
    deadline = time.monotonic() + seconds
    while not done(found := gateway.delivery(delivery).view) and time.monotonic() < deadline:
        assert [one.reason for one in gateway.mail.poll()] == [""]
        time.sleep(0.1)
    assert done(found), found
    return found


def as_received(mail: RealMail, box: str, count: int = 1) -> Sent:
    """What the doctor's software knows of the newest mail of its box."""
    read = message_from_bytes(mail.wait_for(box, count)[-1])
    return Sent(str(read["Message-ID"]), "", str(read["Disposition-Notification-To"]), box)


# ----------------------------------------------------------------------------------------------------- receipts


def test_delivered_by_the_server_then_processed_by_the_reader(real_mail: RealMail, tmp_path: Path) -> None:
    practice, box = opened(tmp_path, real_mail, "entier"), f"urgences.entier@{HOSPITAL}"
    with practice.open() as gateway:
        delivery = sent(gateway, document(BILAN, box))
        assert delivery.receipt == "awaited"
        found = come_home(gateway, delivery.id, lambda one: one.receipt == "delivered")
        assert (found.receipt_reason, found.awaited_until, found.alerted_at) == ("MSS-RCPT-DELIVERED", None, None)
        mail = as_received(real_mail, box)
        assert mail.sender == practice.mailbox, "reading reports go to the envelope sender"
        post(real_mail, box, practice.mailbox, samples.mdn(sent=mail, report_id="<lu@hopital>"))
        found = come_home(gateway, delivery.id, lambda one: one.receipt == "processed")
        assert (found.transport, found.attempts, found.alerted_at) == ("sent", 1, None)
        kinds = [(one["kind"], one["verdict"]) for one in gateway.delivery(delivery.id).received]
        assert kinds == [("dsn", "applied"), ("mdn", "applied")]
        assert gateway.verify_journal().ok
        assert box not in "".join(gateway.export_journal())
    assert len(real_mail.messages(box)) == 1


def test_a_trial_letter_to_one_s_own_box(real_mail: RealMail, tmp_path: Path) -> None:
    """How docs/mssante.md says to try a new box: it warns, it goes, its report comes home, and it is no answer."""
    practice = opened(tmp_path, real_mail, "essai.soi")
    with practice.open() as gateway:
        data = document(BILAN, practice.mailbox)
        assert "DST-SELF" in {finding.code for finding in gateway.check(data).findings}
        delivery = sent(gateway, data)
        real_mail.wait_for(practice.mailbox, 2)
        found = come_home(gateway, delivery.id, lambda one: one.receipt_reason == "MSS-RCPT-RELAYED")
        assert (found.transport, found.replies, found.alerted_at) == ("sent", 0, None)


NEW = "automatic-action/MDN-sent-automatically; processed/error"
OLD = f"automatic-action/MDN-sent-automatically; processed/Error: {OLD_ERROR}"


@pytest.mark.parametrize(("name", "disposition", "error"), [("neuf", NEW, OLD_ERROR), ("ancien", OLD, None)])
def test_not_the_reader_s_patient_holds_what_else_is_queued(
    real_mail: RealMail, tmp_path: Path, name: str, disposition: str, error: str | None
) -> None:
    practice, box = opened(tmp_path, real_mail, f"refus.{name}"), f"refus.{name}.medecin@{DOCTOR_DOMAIN}"
    with practice.open() as gateway:
        delivery = sent(gateway, document(BILAN, box))
        mail = as_received(real_mail, box)
        post(real_mail, box, practice.mailbox, samples.mdn(disposition, error=error, sent=mail))
        found = come_home(gateway, delivery.id, lambda one: one.receipt == "refused")
        assert (found.transport, found.receipt_reason) == ("sent", "MSS-RCPT-902")
        assert "téléphoner" in found.receipt_next
        summary = gateway.submit(document("01_entorse_cheville_compte_rendu", box)).document_id
        assert gateway.deliver_due() == 0
        held = mail_of(gateway, summary)
        assert (held.transport, held.reason) == ("held", "MSS-RCPT-902")
        other = gateway.submit(document("01_entorse_cheville_compte_rendu", f"autre.{box}", key="-autre"))
        assert mail_of(gateway, other.document_id).reason != "MSS-RCPT-902", "another reader is not concerned"
        gateway.receipts.my_patient(delivery.id, by="Mme Martin", reason="le cabinet confirme")
        gateway.deliver_due()
        assert mail_of(gateway, summary).transport == "sent"
        assert gateway.verify_journal().ok
    assert len(real_mail.wait_for(box, 2)) == 2


def test_a_person_s_answer_is_surfaced_and_stays_where_it_is(real_mail: RealMail, tmp_path: Path) -> None:
    practice, box = opened(tmp_path, real_mail, "reponse"), f"reponse.medecin@{DOCTOR_DOMAIN}"
    with practice.open() as gateway:
        delivery = sent(gateway, document(BILAN, box))
        mail = as_received(real_mail, box)
        post(real_mail, box, practice.mailbox, samples.reply("Merci, je la revois jeudi", sent=mail))
        found = come_home(gateway, delivery.id, lambda one: one.replies == 1)
        assert (found.transport, found.receipt) == ("sent", "awaited")
        assert gateway.receipts.seen(delivery.id, by="Mme Martin", reason="lue").replies == 0
        journal = "".join(gateway.export_journal())
        assert "jeudi" not in journal
    assert any(b"jeudi" in raw for raw in real_mail.messages(practice.mailbox)), "it was left in the box"


def test_forged_reports_change_nothing_and_are_shown(real_mail: RealMail, tmp_path: Path) -> None:
    practice, box = opened(tmp_path, real_mail, "faux"), f"faux.medecin@{DOCTOR_DOMAIN}"
    with practice.open() as gateway:
        delivery = sent(gateway, document(BILAN, box))
        mail = as_received(real_mail, box)
        real_mail.wait_for(practice.mailbox)
        forged = samples.mdn(sent=mail, sender="docteur@evil.example", report_id="<f1@evil>")
        wrong = samples.mdn(sent=mail, final=f"rfc822; autre@{DOCTOR_DOMAIN}", original=None, report_id="<f2@evil>")
        lost = samples.mdn(original_id="<jamais@kine.test.mssante.fr>", sent=Sent("<x@y>", "", mail.sender, box))
        for raw in (forged, wrong, lost):
            post(real_mail, box, practice.mailbox, raw)
        real_mail.wait_for(practice.mailbox, 4)
        deadline = time.monotonic() + 10
        while len(gateway.receipts.loose()) < 3 and time.monotonic() < deadline:
            gateway.mail.poll()
        assert {one["verdict"] for one in gateway.receipts.loose()} == {"forged", "wrong_recipient", "unmatched"}
        assert gateway.delivery(delivery.id).view.receipt == "awaited"
        assert gateway.verify_journal().ok


# ---------------------------------------------------------------------------------------------------- deadlines


def test_an_urgent_letter_delivered_but_not_read_asks_for_a_call(real_mail: RealMail, tmp_path: Path) -> None:
    practice = opened(tmp_path, real_mail, "urgent", URGENT_LETTER)
    box, events = f"urgences.urgent@{HOSPITAL}", list[str]()
    with practice.open() as gateway:
        delivery = sent(gateway, document(URGENT_LETTER, box, rpps="99700002118", family="MODELE", given="Rose"))
        come_home(gateway, delivery.id, lambda one: one.receipt == "delivered")
        assert gateway.receipts.mark_overdue() == []
    with practice.open(clock=Later(hours=4, minutes=1)) as gateway:
        gateway.subscribe(lambda event: events.append(event.event))
        for _ in range(3):
            gateway.deliver_due()
        assert events.count("receipt_overdue") == 1, "told once"
        late = gateway.delivery(delivery.id).view
        assert (late.transport, late.receipt, late.receipt_reason) == ("sent", "overdue", "MSS-RCPT-URGENT")
        assert "télépho" in late.receipt_next.lower() or "appel" in late.receipt_next.lower()
        done = gateway.receipts.called(delivery.id, by="Mme Martin", reason="Dr Modele prévenue à 14 h")
        assert done.alerted_at is None
        journal = "".join(gateway.export_journal())
        assert "prévenue" not in journal
        assert '"Mme Martin"' in journal
        assert gateway.verify_journal().ok
    assert len(real_mail.messages(box)) == 1, "nothing is sent again"


def test_no_report_at_all_is_told_once_and_sends_nothing(real_mail: RealMail, tmp_path: Path) -> None:
    """The operator's report is not believed here, so nothing came as far as the gateway knows."""
    practice, box = opened(tmp_path, real_mail, "silence", tables=""), f"silence.medecin@{DOCTOR_DOMAIN}"
    with practice.open() as gateway:
        delivery = sent(gateway, document(BILAN, box))
    with practice.open(clock=Later(days=2, minutes=1)) as gateway:
        for _ in range(2):
            gateway.deliver_due()
        assert gateway.delivery(delivery.id).view.receipt == "overdue"
        assert sum('"receipt_overdue"' in line for line in gateway.export_journal()) == 1
    assert len(real_mail.wait_for(box)) == 1


# ------------------------------------------------------------------------------------------------------ patient


def test_a_patient_s_closed_box_ends_on_paper(real_mail: RealMail, tmp_path: Path) -> None:
    practice = opened(tmp_path, real_mail, "patient.ferme")
    with practice.open() as gateway:
        delivery = sent(gateway, document(BILAN, None, to_patient=True), "patient")
        context = gateway.store.context(delivery.id)
        assert context is not None
        assert CLOSED_PATIENT.encode() in context
        found = come_home(gateway, delivery.id, lambda one: one.receipt == "refused")
        assert found.receipt_reason == "MSS-RCPT-5-2-1"
        assert "main propre" in found.receipt_next
        with pytest.raises(InputError, match="LNK-PATIENT"):
            gateway.readdress(delivery.id, to=f"x@{DOCTOR_DOMAIN}", by="Mme Martin", reason="x")
        sheet = pypdf.PdfReader(io.BytesIO(gateway.linked.handout(delivery.id)))
        assert "Signature" in sheet.pages[0].extract_text()
        done = gateway.handed(delivery.id, means="main_propre", by="Mme Martin", reason="remis en séance")
        assert (done.transport, done.receipt, done.alerted_at) == ("handed_over", "refused", None)
        assert gateway.verify_journal().ok
        assert CLOSED_PATIENT not in "".join(gateway.export_journal())


def test_a_corsican_patient_gets_a_mail_of_her_own(real_mail: RealMail, tmp_path: Path) -> None:
    """Letters in the matricule, a doctor without RPPS whose address was typed in capitals."""
    practice, box = opened(tmp_path, real_mail, "corse", CORSICAN), f"corse.medecin@{DOCTOR_DOMAIN}"
    value = json.loads(document(CORSICAN, box.upper(), to_patient=True))
    del value["recipients"][0]["rpps"]
    with practice.open() as gateway:
        made = gateway.submit(json.dumps(value).encode()).document_id
        gateway.deliver_due()
        states = {one.destination: one.transport for one in gateway.status(made).deliveries}
        assert (states["medecin_traitant"], states["patient"]) == ("sent", "sent")
        address = f"{value['patient']['ins']['matricule'].lower()}@patient.mssante.fr"
        own = message_from_bytes(real_mail.wait_for(address)[0])
        doctor = message_from_bytes(real_mail.wait_for(box)[0])
        assert own["To"].lower() == address
        assert address not in str(doctor).lower(), "the doctor's mail does not show the patient's address"
        post(real_mail, box, practice.mailbox, samples.mdn(sent=as_received(real_mail, box)))
        come_home(gateway, mail_of(gateway, made, "medecin_traitant").id, lambda one: one.receipt == "processed")


# ---------------------------------------------------------------------------------------------------- directory


@pytest.fixture
def directory(tmp_path: Path, certificates: Path) -> Iterator[Practice]:
    made = open_practice(tmp_path / "annuaire", certificates=certificates)
    yield made
    made.box.close()


def asking(directory: Practice) -> str:
    """Tables of a configuration that asks that directory."""
    key = directory.folder / "cle"
    key.write_text(KEY, encoding="ascii")
    url = directory.box.annuaire_url.replace("127.0.0.1", "localhost")
    api = f'[annuaire.api]\nurl = "{url}"\nkey_file = "{key}"\nca_file = "{directory.box.ca_path}"\n'
    return f'{OPERATOR}[annuaire]\nfile = "annuaire.db"\n{api}'


def test_a_box_that_is_gone_is_looked_up_and_the_document_goes_to_the_new_one(
    real_mail: RealMail, tmp_path: Path, directory: Practice
) -> None:
    practice = opened(tmp_path, real_mail, "parti.direct", tables=asking(directory))
    doctor, new = case(BILAN)["recipients"][0], f"nouvelle.boite@{HOSPITAL}"
    with practice.open() as gateway:
        delivery = sent(gateway, document(BILAN, GONE))
        found = come_home(gateway, delivery.id, lambda one: one.receipt == "refused")
        assert found.receipt_reason == "MSS-RCPT-5-1-1"
        directory.box.annuaire.remove(doctor["rpps"])
        directory.box.annuaire.add(Professional(doctor["rpps"], doctor["family"], doctor["given"], boxes=(Box(new),)))
        told = gateway.linked.suggestion(delivery.id)
        assert told is not None
        assert (told.state, told.addresses) == ("changed", (new,))
        assert gateway.deliver_due() == 0, "nothing is readdressed by itself"
        order = {"to": new, "by": "Mme Martin", "reason": "a changé de boîte", "name": f"Dr {doctor['family']}"}
        again = gateway.readdress(delivery.id, **order).delivery
        assert again is not None
        gateway.deliver_due()
        come_home(gateway, again.id, lambda one: one.receipt == "delivered")
        old = gateway.delivery(delivery.id).view
        assert (old.transport, old.receipt, old.succeeded_by) == ("superseded", "refused", again.id)
        assert gateway.verify_journal().ok
    assert len(real_mail.messages(new)) == 1
