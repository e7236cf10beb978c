"""The mail that withdraws a document: to one reader, nothing clinical, no CDA and so no header that announces one.

Its subject does not begin with `XDM/1.0/DDM+`: software takes that for an archive to integrate (spec mssante §1.1).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from email.utils import format_datetime
from typing import TYPE_CHECKING

from gateway.package import mail
from gateway.package.mime import CRLF, checked, display_name, line, text_part
from gateway.package.types import MailContext, Package, Part

if TYPE_CHECKING:
    from gateway.clock import Randomness
    from gateway.document.model import Header
    from gateway.settings import AccountSettings

MENTION = "[Annulation] "
"""Before the subject; the reference framework asks for no wording, so it is that of `[Annule et remplace]`."""


@dataclass(frozen=True, slots=True)
class Letter:
    """What to withdraw: the mails that took the document to this mailbox, oldest first, and when the last was made.

    `reason` is a code of mappings/mail.toml; `to_patient` chooses words for a patient.
    """

    to: str
    message_ids: Sequence[str]
    sent: datetime
    reason: str
    to_patient: bool


def retraction(header: Header, letter: Letter, *, account: AccountSettings, now: datetime, ids: Randomness) -> Package:
    """The frozen mail (part `message`) and what SMTP needs. Same arguments, same bytes.

    Raises KeyError for an unknown reason, PackageError `PKG-003` for an address that is none.
    """
    to, domain = checked(letter.to), account.mailbox.rpartition("@")[2]
    message_id, envid = f"<{ids.uuid()}@{domain}>", ids.uuid().hex
    # A text and nothing else (ECO.2.2.4): the part's own header lines end those of the mail.
    data = b"".join((*_headers(header, letter, account, message_id, now), text_part(_text(header, letter)))) + CRLF
    context = MailContext(account.mailbox, to, message_id, envid, header.id)
    return Package((Part("message", "message/rfc822", data),), context)


def _headers(
    header: Header, letter: Letter, account: AccountSettings, message_id: str, now: datetime
) -> Iterator[bytes]:
    sender = checked(account.mailbox)
    yield line("From", f"{display_name(account.display_name)} <{sender}>")
    yield line("To", letter.to)
    yield line("Subject", MENTION + mail.subject(header).partition("+")[2])
    yield line("Date", format_datetime(now))
    yield line("Message-ID", message_id)
    if letter.message_ids:
        yield line("In-Reply-To", letter.message_ids[-1])
        yield line("References", "\r\n ".join(letter.message_ids))
    yield line("Disposition-Notification-To", sender)
    yield line("X-MSS-NIL", account.nil)
    if letter.to_patient and not account.patient_replies:
        yield line("X-MSS-MES", "FIN")
    yield line("MIME-Version", "1.0")


def _text(header: Header, letter: Letter) -> str:
    reason = mail.retraction_reasons()[letter.reason]
    values = mail.words(header)
    about = f"Il concernait {values['patient']}, {values['born']} le {values['birth']}. " if reason["about"] else ""
    why = str(reason["patient" if letter.to_patient else "why"])
    more = {"sent": f"{letter.sent:%d/%m/%Y}", "why": why, "about": about, "id": header.id}
    return mail.filled("retraction_patient" if letter.to_patient else "retraction_professional", {**values, **more})
