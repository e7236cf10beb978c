"""Receipts where the assistant looks: status file, to-do page, action files; whoever took the mail in."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from gateway.api import Gateway
from gateway.engine.events import DeliveryEvent
from gateway.sidecar.daemon import Sidecar
from gateway.views import DeliveryView
from tests.integration.practice import Practice, case, open_practice
from tests.unit.read import report_samples as samples
from tests.unit.read.report_samples import OLD_ERROR, Sent

NAME = "lettre"


def dropped(folder: Path, certificates: Path) -> tuple[Practice, str, DeliveryView]:
    """A practice that sent one document, its account and the doctor's delivery."""
    practice = open_practice(folder, certificates=certificates)
    value = case("01_entorse_cheville_bilan")
    account = str(value["account"])
    practice.drop(value, NAME, account)
    practice.run()
    with Gateway.open(practice.config) as gateway:
        [found] = gateway.deliveries(destination="medecin_traitant")
    assert (found.transport, found.receipt) == ("sent", "awaited")
    return practice, account, found


def about(practice: Practice, delivery: DeliveryView) -> Sent:
    """What the doctor's software knows of the mail."""
    from gateway.package.types import MailContext, context_from_json

    with Gateway.open(practice.config) as gateway:
        data = gateway.store.context(delivery.id)
        assert data is not None
        context = context_from_json(data)
    assert isinstance(context, MailContext)
    return Sent(context.message_id, context.envid, context.envelope_from, context.envelope_to)


def take_in_elsewhere(practice: Practice, account: str, raw: bytes) -> str:
    """Another program reads the mailbox and hands a mail over. Returns the verdict."""
    with Gateway.open(practice.config) as gateway:
        return gateway.receipts.take_in(account, raw).verdict


def shown(practice: Practice, account: str) -> dict[str, Any]:
    [found] = [d for d in practice.status(account, NAME)["deliveries"] if d["destination"] == "medecin_traitant"]
    return dict(found)


def when(check: Callable[[], bool]) -> Callable[[Sidecar, Gateway], bool]:
    return lambda sidecar, _: sidecar.idle and check()


def test_a_refusal_is_shown_says_what_to_do_and_ends_with_the_call(tmp_path: Path, certificates: Path) -> None:
    practice, account, delivery = dropped(tmp_path, certificates)
    try:
        page = practice.outbox(account) / "A_FAIRE.html"
        mail = about(practice, delivery)
        done: list[str] = []

        def taken_in_while_it_runs() -> bool:
            if not done:
                done.append(take_in_elsewhere(practice, account, samples.mdn(error=OLD_ERROR, sent=mail)))
            return shown(practice, account)["receipt"] == "refused" and "MSS-RCPT-902" in page.read_text()

        practice.run(when(taken_in_while_it_runs))
        assert done == ["applied"]
        status = shown(practice, account)
        assert (status["transport"], status["receipt_reason"]) == ("sent", "MSS-RCPT-902")
        assert "ne connaît pas ce patient" in status["receipt_meaning"]
        assert "téléphoner" in status["next_step"]
        assert practice.status(account, NAME)["needs_person"]
        practice.drop(
            {
                "format": "kine-gateway/action/1",
                "action": "called",
                "by": "Mme Martin",
                "reason": "le cabinet rappelle",
                "destination": "medecin_traitant",
            },
            f"{NAME}",
            account,
            suffix=".action.json",
        )
        practice.run(when(lambda: "MSS-RCPT-902" not in page.read_text()))
        assert shown(practice, account)["receipt"] == "refused", "the receipt stays what it is"
        assert not practice.status(account, NAME)["needs_person"]
    finally:
        practice.box.close()


def test_a_reply_is_counted_and_its_words_stay_in_the_box(tmp_path: Path, certificates: Path) -> None:
    practice, account, delivery = dropped(tmp_path, certificates)
    try:
        raw = samples.reply("Merci, vu ce matin avec Eva", sent=about(practice, delivery))
        assert take_in_elsewhere(practice, account, raw) == "applied"
        practice.run()
        assert shown(practice, account)["replies"] == 1
        page = (practice.outbox(account) / "A_FAIRE.html").read_text()
        assert "Réponse reçue dans la boîte MSSanté : 1" in page
        assert "vu ce matin" not in page
    finally:
        practice.box.close()


def test_a_receipt_that_is_not_believed_is_on_the_page(tmp_path: Path, certificates: Path) -> None:
    practice, account, delivery = dropped(tmp_path, certificates)
    try:
        raw = samples.mdn(sent=about(practice, delivery), sender="docteur@evil.example")
        assert take_in_elsewhere(practice, account, raw) == "forged"
        practice.run()
        page = (practice.outbox(account) / "A_FAIRE.html").read_text()
        assert "boîte MSSanté" in page
        assert "MSS-RCPT-FORGED" in page
        assert "evil.example" not in page
        assert shown(practice, account)["receipt"] == "awaited"
    finally:
        practice.box.close()


def test_a_box_that_cannot_be_read_is_on_the_page_until_it_can(tmp_path: Path, certificates: Path) -> None:
    practice, account, _ = dropped(tmp_path, certificates)
    try:
        with Gateway.open(practice.config) as gateway:
            sidecar = Sidecar(gateway)
            sidecar.pass_once()
            page = practice.outbox(account) / "A_FAIRE.html"
            for event, reason in (("mailbox_misconfigured", "IMAP-LOGIN"), ("mailbox_back", "")):
                for desk in sidecar.desks:
                    desk.boxes.note(DeliveryEvent(gateway.clock.now(), event, account, "mssante", reason=reason))
                sidecar.refresh(everything=True)
                assert ("IMAP-LOGIN" in page.read_text()) == bool(reason)
            assert "n'est pas relevée" not in page.read_text()
    finally:
        practice.box.close()
