"""The mail that withdraws a document: one reader, nothing clinical, nothing that announces an archive."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any

import pytest

from gateway.clock import SeededRandomness
from gateway.errors import PackageError
from gateway.package import mail
from gateway.package.retraction import Letter, retraction
from gateway.package.types import MailContext
from tests.unit import render_samples
from tests.unit.package.samples import account, document

NOW = datetime(2026, 11, 22, 10, 0, tzinfo=UTC)
LETTER = Letter("dr@medecin.mssante.fr", ("<1@a>", "<2@a>"), datetime(2026, 11, 20, 9, 0, tzinfo=UTC), "error", False)


def made(letter: Letter = LETTER, **changes: Any) -> tuple[EmailMessage, MailContext, bytes]:
    package = retraction(
        document().header, letter, account=account(**changes), now=NOW, ids=SeededRandomness("retraction")
    )
    data = package.part("message").data
    read = message_from_bytes(data, policy=policy.default)
    assert isinstance(read, EmailMessage)
    assert isinstance(package.context, MailContext)
    return read, package.context, data


def test_headers() -> None:
    read, context, data = made()
    assert read["To"] == context.envelope_to == "dr@medecin.mssante.fr"
    assert (read["In-Reply-To"], read["References"].split()) == ("<2@a>", ["<1@a>", "<2@a>"])
    assert read["Message-ID"] == context.message_id
    assert read["Subject"] == "[Annulation] " + mail.subject(document().header).removeprefix("XDM/1.0/DDM+")
    assert not [name for name in read if name.upper() in {"X-MSS-CODECDA", "X-MSS-INS", "X-MSS-MES"}]
    assert read["X-MSS-NIL"] == account().nil
    assert read["Disposition-Notification-To"] == account().mailbox
    assert read.get_content_type() == "text/plain"
    assert data.count(b"\n") == data.count(b"\r\n")
    assert max(map(len, data.split(b"\r\n"))) <= 998
    assert made()[2] == data


@pytest.mark.parametrize("reason", list(mail.retraction_reasons()))
@pytest.mark.parametrize("to_patient", [False, True])
def test_each_reason_has_words_for_each_reader(reason: str, to_patient: bool) -> None:
    read, _, _ = made(replace(LETTER, reason=reason, to_patient=to_patient))
    text = " ".join(read.get_content().split())
    said = mail.retraction_reasons()[reason]
    assert said["patient" if to_patient else "why"] in text
    assert "20/11/2026" in text
    family = document().header.patient.birth_family.upper()
    assert (family in text) is (said["about"] and not to_patient)
    assert "{" not in text


def test_nothing_clinical_is_told() -> None:
    whole = render_samples.assessment()
    spans = [span.text for part in whole.walk() for block in part.blocks for span in _spans(block)]
    assert len(spans) > 5
    package = retraction(whole.header, LETTER, account=account(), now=NOW, ids=SeededRandomness("x"))
    read = message_from_bytes(package.part("message").data, policy=policy.default)
    assert isinstance(read, EmailMessage)
    text = f"{read['Subject']} {' '.join(read.get_content().split())}"
    assert [span for span in spans if len(span) > 12 and span in text] == []


def _spans(block: Any) -> list[Any]:
    if hasattr(block, "span"):
        return [block.span]
    return list(getattr(block, "items", ())) or [cell for row in getattr(block, "rows", ()) for cell in row]


def test_to_a_patient_who_may_not_answer() -> None:
    to_patient = replace(LETTER, to_patient=True)
    assert made(to_patient, patient_replies=False)[0]["X-MSS-MES"] == "FIN"
    assert made(to_patient, patient_replies=True)[0]["X-MSS-MES"] is None


def test_an_address_that_could_write_headers_is_refused() -> None:
    with pytest.raises(PackageError, match="PKG-003"):
        made(replace(LETTER, to="dr@medecin.mssante.fr\r\nBcc: x@y.fr"))
    with pytest.raises(ValueError, match="control character"):
        made(replace(LETTER, message_ids=("<1@a>\r\nBcc: x@y.fr",)))
