"""Received mails as they come: delivery reports, disposition notifications in both French writings, bounces, replies.

Written by hand from RFC 3464, RFC 8098 and the profile's own description; nothing here is made by the gateway.
"""

from __future__ import annotations

from dataclasses import dataclass

KINE = "kine@example.mssante.fr"
DOCTOR = "docteur@example.mssante.fr"
MESSAGE_ID = "<0b8f4c1e-6f7d-4a55-9d55-2f0c0a6d9f10@example.mssante.fr>"
ENVID = "6f1d2b3c4d5e6f708192a3b4c5d6e7f8"
SUBJECT = "XDM/1.0/DDM+CR de kinesitherapie DURAND Eva 02/03/1975"
KO_SUBJECT = "=?utf-8?q?=5BKO_Int=C3=A9gration_syst=C3=A8me_!=5D=5B902=5D_XDM/1=2E0/DDM+CR_DURAND_Eva?="
OLD_ERROR = "902^Identifiant de patient inconnu^applicationErrorCondition| E^Error^errorSeverity"
_REPORT = "multipart/report; report-type={kind}; boundary=B"


@dataclass(frozen=True)
class Sent:
    """The mail that a report is about."""

    message_id: str = MESSAGE_ID
    envid: str = ENVID
    sender: str = KINE
    to: str = DOCTOR

    def original(self) -> str:
        return (
            f"From: <{self.sender}>\nTo: {self.to}\nSubject: {SUBJECT}\nMessage-ID: {self.message_id}\n"
            "MIME-Version: 1.0\nContent-Type: text/plain\n\nBonjour\n"
        )


SENT = Sent()


def _mail(headers: list[str], content_type: str, body: str) -> bytes:
    text = "\n".join([*headers, f"Content-Type: {content_type}", "", body])
    return text.replace("\n", "\r\n").encode()


def _parts(*parts: tuple[str, str]) -> str:
    return "".join(f"--B\nContent-Type: {kind}\n\n{body}\n" for kind, body in parts) + "--B--\n"


def dsn(
    action: str = "delivered",
    status: str = "2.0.0",
    *,
    sent: Sent = SENT,
    original: str | None = None,
    final: str | None = None,
    sender: str = "MAILER-DAEMON@example.mssante.fr",
    path: str | None = "<>",
    envid: str | None = "",
    returned: str = "text/rfc822-headers",
    report_id: str = "<report-1@example.mssante.fr>",
    more: str = "",
) -> bytes:
    """A delivery report for one recipient; `more` are further recipients' groups."""
    about = f"Reporting-MTA: dns; mx.example.mssante.fr\n{_envelope(sent.envid if envid == '' else envid)}"
    group = (
        f"Final-Recipient: rfc822; {final or sent.to}\nOriginal-Recipient: rfc822;{original or sent.to}\n"
        f"Action: {action}\nStatus: {status}\nDiagnostic-Code: smtp; 550 {final or sent.to} user unknown\n"
    )
    body = _parts(
        ("text/plain", "Rapport de distribution."),
        ("message/delivery-status", f"{about}Arrival-Date: Sun, 22 Nov 2026 10:00:00 +0100\n\n{group}{more}"),
        (returned, sent.original()),
    )
    head = [] if path is None else [f"Return-Path: {path}"]
    head += [f"From: {sender} (Mail Delivery System)", f"To: {sent.sender}", "Subject: Rapport"]
    return _mail([*head, f"Message-ID: {report_id}", "MIME-Version: 1.0"], _REPORT.format(kind="delivery-status"), body)


def _envelope(envid: str | None) -> str:
    return "" if envid is None else f"Original-Envelope-Id: {envid}\n"


def group(recipient: str, action: str, status: str) -> str:
    """One more recipient of a delivery report."""
    return f"\nFinal-Recipient: rfc822; {recipient}\nAction: {action}\nStatus: {status}\n"


def mdn(
    disposition: str = "automatic-action/MDN-sent-automatically; processed",
    *,
    error: str | None = None,
    sent: Sent = SENT,
    subject: str = SUBJECT,
    sender: str | None = None,
    original: str | None = "",
    final: str | None = "",
    original_id: str | None = "",
    fields: str = "",
    report_id: str = "<mdn-1@example.mssante.fr>",
) -> bytes:
    """A disposition notification; an empty text means the ordinary value, None leaves the field out."""
    lines = ["Reporting-UA: Logiciel; 1.0"]
    lines += _field("Original-Recipient", original, f"rfc822;{sent.to}")
    lines += _field("Final-Recipient", final, f"rfc822; {sent.to}")
    lines += _field("Original-Message-ID", original_id, sent.message_id)
    lines += [f"Disposition: {disposition}"]
    lines += [f"Error: {error}"] if error is not None else []
    body = _parts(
        ("text/plain; charset=utf-8", "Accusé"),
        ("message/disposition-notification", "\n".join(lines) + f"\n{fields}"),
        ("message/rfc822", sent.original()),
    )
    head = ["Return-Path: <>", f"From: {sender or sent.to}", f"To: {sent.sender}", f"Subject: {subject}"]
    return _mail(
        [*head, f"Message-ID: {report_id}", "MIME-Version: 1.0"],
        _REPORT.format(kind="disposition-notification"),
        body,
    )


def _field(name: str, value: str | None, usual: str) -> list[str]:
    return [] if value is None else [f"{name}: {value or usual}"]


def standard_failure(*, sent: Sent = SENT, subject: str = KO_SUBJECT, sender: str | None = None) -> bytes:
    """The "courriel standard": an ordinary mail that says failure in its subject and holds the original."""
    body = _parts(
        ("text/plain; charset=utf-8", "902 Identifiant de patient inconnu"),
        ('message/rfc822; name="message_original.eml"', sent.original()),
        ('application/zip; name="IHE_XDM.ZIP"', "UEsDBA=="),
    )
    head = [f"From: {sender or sent.to}", f"To: {sent.sender}", f"Subject: {subject}"]
    return _mail(
        [*head, "Message-ID: <ko-1@example.mssante.fr>", "MIME-Version: 1.0"], "multipart/mixed; boundary=B", body
    )


def bounce(
    text: str,
    *,
    subject: str = "Message non distribué",
    sent: Sent = SENT,
    sender: str = "MAILER-DAEMON@patient.mssante.fr",
    returned: bool = True,
) -> bytes:
    """A bounce in plain words, as Mon espace sante may send it; without the original only the thread tells."""
    parts = [("text/plain; charset=utf-8", text), *([("message/rfc822", sent.original())] if returned else [])]
    head = ["Return-Path: <>", f"From: {sender}", f"To: {sent.sender}", f"Subject: {subject}"]
    head += [] if returned else [f"In-Reply-To: {sent.message_id}"]
    return _mail(
        [*head, "Message-ID: <bounce-1@patient.mssante.fr>", "MIME-Version: 1.0"],
        "multipart/mixed; boundary=B",
        _parts(*parts),
    )


def reply(
    text: str = "Merci",
    *,
    sent: Sent = SENT,
    sender: str | None = None,
    headers: tuple[str, ...] = (),
    message_id: str = "<reply-1@example.mssante.fr>",
) -> bytes:
    """What a person, or the absence of one, answers."""
    head = [f"From: Dr Dupont <{sender or sent.to}>", f"To: {sent.sender}", f"Subject: Re: {SUBJECT}", *headers]
    head += [f"Message-ID: {message_id}", f"In-Reply-To: {sent.message_id}", "MIME-Version: 1.0"]
    return _mail(head, "text/plain; charset=utf-8", text)
