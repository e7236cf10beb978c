"""The reading report of the sandbox's doctor, read by Python's own parser: the profile's three parts and fields."""

from __future__ import annotations

from email import message_from_bytes, policy

from gateway.sandbox.mail_answer import reading_report

DOCTOR = "dr@medecin.mssante.example"
MAIL = (
    b"From: <kine@kine.mssante.example>\r\nTo: dr@medecin.mssante.example\r\nSubject: XDM/1.0/DDM+CR DURAND Eva\r\n"
    b"Message-ID: <1@kine.mssante.example>\r\nDisposition-Notification-To: <kine@kine.mssante.example>\r\n"
    b"\r\nBonjour\r\n"
)


def test_a_report_says_what_was_read_and_holds_it() -> None:
    made = reading_report(MAIL, DOCTOR)
    assert made is not None
    report = message_from_bytes(made, policy=policy.default)
    assert report.get_content_type() == "multipart/report"
    assert report.get_param("report-type") == "disposition-notification"
    assert (report["To"], report["Subject"]) == ("kine@kine.mssante.example", "XDM/1.0/DDM+CR DURAND Eva")
    text, fields, original = report.iter_parts()
    assert text.get_content_type() == "text/plain"
    told = message_from_bytes(fields.get_payload()[0].as_bytes() if fields.is_multipart() else fields.get_content())
    assert told["Original-Message-ID"] == "<1@kine.mssante.example>"
    assert told["Final-Recipient"] == f"rfc822;{DOCTOR}"
    assert told["Disposition"].endswith("; processed")
    assert original.get_content()["Message-ID"] == "<1@kine.mssante.example>"


def test_who_was_not_asked_answers_nothing() -> None:
    assert reading_report(MAIL.replace(b"Disposition-Notification-To", b"X-Rien"), DOCTOR) is None
