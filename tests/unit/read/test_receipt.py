"""Reports of every shape, and what is read in them."""

from __future__ import annotations

import base64
import time

import pytest

from gateway.read import bounce, receipt
from gateway.read.receipt import Kind, Notice, Report
from tests.unit.read import report_samples as samples
from tests.unit.read.report_samples import DOCTOR, ENVID, KO_SUBJECT, MESSAGE_ID, OLD_ERROR


def read(raw: bytes) -> Report:
    return receipt.read(raw)


def only(raw: bytes) -> Notice:
    [notice] = read(raw).notices
    return notice


# ------------------------------------------------------------------------------------------------------ DSN


@pytest.mark.parametrize(
    ("action", "status", "failed"),
    [
        ("delivered", "2.0.0", False),
        ("Delivered", "2.1.5 (ok)", False),
        ("relayed", "2.0.0", False),
        ("expanded", "2.0.0", False),
        ("delayed", "4.4.1", False),
        ("failed", "5.1.1", True),
        ("failed", "4.4.7", True),
        ("delivered", "5.1.1", True),
        ("perdu", "5.0.0", True),
    ],
)
def test_a_delivery_report_says_what_its_action_and_status_say(action: str, status: str, failed: bool) -> None:
    found = read(samples.dsn(action, status))
    assert found.kind is Kind.DSN
    assert found.envids == (ENVID,)
    assert found.message_ids == (MESSAGE_ID,)
    assert found.null_sender is True
    [notice] = found.notices
    assert (notice.action, notice.failed, notice.status) == (action.lower(), failed, status[:5])
    assert (notice.original, notice.final) == ((DOCTOR,), DOCTOR)


@pytest.mark.parametrize("returned", ["message/rfc822", "text/rfc822-headers", "message/global-headers"])
def test_without_envelope_id_the_returned_mail_tells(returned: str) -> None:
    found = read(samples.dsn(envid=None, returned=returned))
    assert (found.envids, found.message_ids) == ((), (MESSAGE_ID,))


def test_each_recipient_has_its_own_notice() -> None:
    more = samples.group("autre@example.mssante.fr", "failed", "5.2.2")
    found = read(samples.dsn("delivered", "2.0.0", more=more))
    assert [(one.final, one.failed) for one in found.notices] == [
        (DOCTOR, False),
        ("autre@example.mssante.fr", True),
    ]


def test_an_envelope_id_is_read_encoded_or_not() -> None:
    assert read(samples.dsn(envid="JOB+2B1")).envids == ("JOB+2B1", "JOB+1")


def test_a_recipient_is_read_encoded_or_not() -> None:
    assert only(samples.dsn(original="kine+2Btri@example.mssante.fr")).original == (
        "kine+2btri@example.mssante.fr",
        "kine+tri@example.mssante.fr",
    )


@pytest.mark.parametrize("encoding", ["base64", "quoted-printable"])
def test_a_report_part_that_was_encoded_against_the_rules_is_read(encoding: str) -> None:
    fields = f"Original-Envelope-Id: {ENVID}\n\nFinal-Recipient: rfc822; {DOCTOR}\nAction: failed\nStatus: 5.1.1\n"
    body = base64.b64encode(fields.encode()).decode() if encoding == "base64" else fields.replace("=", "=3D")
    for kind in ("message/delivery-status", "message/global-delivery-status"):
        raw = (
            "From: mailer-daemon@example.mssante.fr\nContent-Type: multipart/report; boundary=B\n\n--B\n"
            f"Content-Type: {kind}\nContent-Transfer-Encoding: {encoding}\n\n{body}\n--B--\n"
        )
        found = read(raw.encode())
        assert found.envids == (ENVID,), kind
        assert [(one.failed, one.status) for one in found.notices] == [(True, "5.1.1")], kind


# ------------------------------------------------------------------------------------------------------ MDN


@pytest.mark.parametrize("kind", ["processed", "displayed", "dispatched", "deleted", " Processed "])
def test_a_notification_of_success(kind: str) -> None:
    found = read(samples.mdn(f"automatic-action/MDN-sent-automatically ;{kind}"))
    assert found.kind is Kind.MDN
    assert found.message_ids == (MESSAGE_ID,)
    [notice] = found.notices
    assert (notice.action, notice.failed, notice.code) == (kind.strip().lower(), False, None)
    assert (notice.original, notice.final) == ((DOCTOR,), DOCTOR)


ERRORS = {
    "old": samples.mdn(f"automatic-action/MDN-sent-automatically; processed/Error: {OLD_ERROR}"),
    "old, folded": samples.mdn(f"automatic-action/MDN-sent-automatically;\n processed/Error:\n {OLD_ERROR}"),
    "new": samples.mdn("automatic-action/MDN-sent-automatically; processed/error", error=OLD_ERROR),
    "new, capitals": samples.mdn("Automatic-Action/MDN-Sent-Automatically;PROCESSED/ERROR", error=OLD_ERROR),
    "new, blanks": samples.mdn(
        "automatic-action / MDN-sent-automatically ;  processed / error ", error=f" {OLD_ERROR}"
    ),
    "field alone": samples.mdn(error=OLD_ERROR),
    "failure field": samples.mdn(fields="Failure: 902^inconnu\n"),
    "after a blank line": samples.mdn(fields=f"\nError: {OLD_ERROR}\n"),
    "subject alone": samples.mdn(subject=KO_SUBJECT),
    "number alone": samples.mdn("a/b; processed/error", error="902"),
    "several": samples.mdn("a/b; processed/error", error="207^Erreur applicative^HL70357~902^Inconnu^x"),
}


@pytest.mark.parametrize("name", ERRORS)
def test_an_error_is_never_a_success_however_it_is_written(name: str) -> None:
    notice = only(ERRORS[name])
    assert notice.failed
    assert notice.code == "902"


@pytest.mark.parametrize("kind", ["denied", "failed", "failed/error"])
def test_old_types_of_failure_are_failures(kind: str) -> None:
    assert only(samples.mdn(f"manual-action/MDN-sent-manually; {kind}")).failed


@pytest.mark.parametrize(
    "disposition", ["a/b; processed/superseded", "a/b; processed/warning", "a/b; lu", "a/b; processed; displayed", ""]
)
def test_what_is_not_exactly_a_success_is_none(disposition: str) -> None:
    notice = only(samples.mdn(disposition))
    assert (notice.action, notice.failed) == ("", False)


def test_two_dispositions_that_disagree_are_no_success() -> None:
    assert only(samples.mdn(fields="Disposition: a/b; processed/error\n")).failed
    assert only(samples.mdn(fields="Disposition: a/b; deleted\n")).action == ""


def test_code_0_is_the_receivers_yes() -> None:
    assert only(samples.mdn(error="0^Message accepted^HL70357")) == Notice(
        "processed", code="0", original=(DOCTOR,), final=DOCTOR
    )
    assert only(samples.mdn("a/b; processed/error", error="0^Message accepted")).failed


def test_what_a_notification_names_is_read_with_blanks_and_without() -> None:
    raw = samples.mdn(
        original="rfc822 ;  <Docteur@Example.mssante.fr>",
        final="docteur@example.mssante.fr",
        original_id=MESSAGE_ID.replace(">", " >").replace("<", "< "),
    )
    found = read(raw)
    assert found.message_ids == (MESSAGE_ID,)
    assert (found.notices[0].original, found.notices[0].final) == ((DOCTOR,), DOCTOR)


def test_without_original_message_id_the_embedded_mail_tells() -> None:
    assert read(samples.mdn(original_id=None)).message_ids == (MESSAGE_ID,)


def test_a_report_inside_a_forwarded_mail_is_not_a_report() -> None:
    inner = samples.mdn().decode()
    head = "From: x@example.mssante.fr\nContent-Type: multipart/mixed; boundary=Z\n\n"
    raw = f"{head}--Z\nContent-Type: message/rfc822\n\n{inner}\n--Z--\n"
    assert read(raw.encode()).kind is Kind.REPLY


# ------------------------------------------------------------------------------------- failures in plain words


def test_the_ordinary_failure_mail_is_read_by_its_subject() -> None:
    found = read(samples.standard_failure())
    assert found.kind is Kind.FAILURE
    assert found.message_ids == (MESSAGE_ID,)
    assert found.notices == (Notice("failed", True, None, "902", None, (DOCTOR,), DOCTOR),)


@pytest.mark.parametrize(
    ("subject", "code"),
    [
        ("[KO Intégration système !][902] XDM/1.0/DDM+CR", "902"),
        ("[KO Integration systeme!] [904] XDM", "904"),
        ("[Erreur d’intégration !][902] XDM", "902"),
        ("[ko intégration système !] XDM", ""),
        ("Re: [KO Intégration système !][902] XDM", None),
        ("XDM/1.0/DDM+CR KO", None),
        ("", None),
    ],
)
def test_the_error_number_of_a_subject(subject: str, code: str | None) -> None:
    assert bounce.subject_code(subject) == code


@pytest.mark.parametrize(
    ("text", "cause"),
    [
        ("La boîte aux lettres du destinataire est fermée.", "CLOSED"),
        ("Le profil Mon espace santé a été clôturé par son titulaire.", "CLOSED"),
        ("Aucun patient ne correspond à cette adresse : patient introuvable.", "NO-PATIENT"),
        ("L’adresse n’existe pas.", "BAD-ADDRESS"),
        ("Votre message dépasse la taille maximale de 25 Mo.", "TOO-BIG"),
        ("message size 27000000 exceeds limit", "TOO-BIG"),
        ("La boîte est pleine : quota dépassé", "FULL"),
        ("Une erreur est survenue.", "BOUNCE"),
    ],
)
def test_a_bounce_in_plain_words_tells_its_cause(text: str, cause: str) -> None:
    found = read(samples.bounce(text))
    assert found.kind is Kind.FAILURE
    assert found.message_ids == (MESSAGE_ID,)
    assert found.notices[0].cause == cause
    assert read(samples.bounce(text, returned=False)).message_ids == (MESSAGE_ID,)
    assert read(samples.bounce(text, subject="Undelivered Mail Returned to Sender")).notices[0].cause == cause


# ---------------------------------------------------------------------------------------------------- people


def test_a_reply_is_a_persons_and_names_its_thread() -> None:
    found = read(samples.reply(headers=("References: <a@b.fr> <c@d.fr>",)))
    assert (found.kind, found.sender) == (Kind.REPLY, DOCTOR)
    assert found.message_ids == (MESSAGE_ID, "<c@d.fr>", "<a@b.fr>")


@pytest.mark.parametrize("header", ["Auto-Submitted: auto-replied", "Precedence: auto_reply", "X-Autoreply: yes"])
def test_an_absence_is_told_from_a_reply(header: str) -> None:
    assert read(samples.reply("Absent", headers=(header,))).kind is Kind.AUTO_REPLY
    assert read(samples.reply(headers=("Auto-Submitted: no",))).kind is Kind.REPLY


@pytest.mark.parametrize("sender", ["a@b.fr, c@d.fr", "nobody", ""])
def test_who_speaks_must_be_clear(sender: str) -> None:
    raw = samples.reply().replace(b"From: Dr Dupont <docteur@example.mssante.fr>", f"From: {sender}".encode())
    assert read(raw).sender is None


def test_a_second_from_makes_nobody_the_sender() -> None:
    assert read(b"From: docteur@example.mssante.fr\r\n" + samples.mdn(sender="x@evil.example")).sender is None


# -------------------------------------------------------------------------------------------------- hostility


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"\x00\xff\xfe",
        b"Content-Type: multipart/report; boundary=B\n\n",
        b"X: y\n" * 200_000,
        b"Content-Type: multipart/mixed; boundary=B\n\n" + b"--B\n" * 100_000,
        b"Subject: =?utf-8?b?!!!!?=\nFrom: =?x?q?=\n\n",
        b"Content-Type: text/plain; charset=inconnu\nSubject: Undeliverable\n\n\xff\xfe",
        b"A" * (receipt.MAX_BYTES + 1),
    ],
    ids=["empty", "binary", "no parts", "headers", "boundaries", "words", "charset", "size"],
)
def test_hostile_bytes_are_a_result_like_any_other(raw: bytes) -> None:
    started = time.perf_counter()
    found = read(raw)
    assert time.perf_counter() - started < 5
    assert found.kind in {Kind.UNREADABLE, Kind.REPLY, Kind.FAILURE}
    assert len(found.evidence_sha256) == 64


def test_nesting_without_end_is_not_followed() -> None:
    raw = b"".join(b"Content-Type: multipart/mixed; boundary=B%d\n\n--B%d\n" % (n, n) for n in range(1900))
    assert read(raw).kind in {Kind.UNREADABLE, Kind.REPLY}
