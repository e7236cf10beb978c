from __future__ import annotations

import email
import email.header
import email.policy
from dataclasses import replace
from email.message import EmailMessage
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.document.model import ClinicalDocument, Code
from gateway.errors import PackageError
from gateway.package import mail, xdm
from gateway.package.text import ascii_only, file_field
from gateway.package.types import MailContext, Package
from tests.unit.package.samples import ADDRESSEE, CDA, DOCTOR, LOINC, NOW, PATIENT, PDF, account, document, ids

HIDDEN = Code("INVISIBLE_PATIENT", "1.2.250.1.213.1.1.4.13", "Non visible par le patient")


def package(doc: ClinicalDocument | None = None, recipient: Any = ADDRESSEE, **changes: Any) -> Package:
    doc = doc or document()
    mine = account(**changes)
    archive = xdm.archive(doc, CDA, account=mine, now=NOW, ids=ids("archive"))
    return mail.mail_package(
        doc, recipient=recipient, account=mine, cda=CDA, pdf=PDF, xdm=archive, now=NOW, ids=ids("mail")
    )


def parsed(frozen: Package) -> EmailMessage:
    message = email.message_from_bytes(frozen.part("message").data, policy=email.policy.SMTP)
    assert isinstance(message, EmailMessage)
    return message


def test_headers() -> None:
    frozen = package()
    message, context = parsed(frozen), frozen.context
    assert isinstance(context, MailContext)
    assert dict(message.items()) == {
        "From": "M_Gwenaël_TESTOU_Cabinet d'Épreuve <gwenael.testou@kine.mssante.example>",
        "To": "helene.modele@medecin.mssante.example",
        "Subject": "XDM/1.0/DDM+CR de bilan fonctionnel LE GOFF-ESSAI MAELYS 14/03/2001",
        "Date": "Sun, 22 Nov 2026 15:00:00 +0000",
        "Message-ID": context.message_id,
        "Disposition-Notification-To": "gwenael.testou@kine.mssante.example",
        "X-MSS-CODECDA": "47420-5",
        "X-MSS-INS": "O",
        "X-MSS-NIL": "DEV0001",
        "MIME-Version": "1.0",
        "Content-Type": message["Content-Type"],
    }
    assert context.message_id.endswith("@kine.mssante.example>")
    assert (context.envelope_from, context.envelope_to) == (
        "gwenael.testou@kine.mssante.example",
        "helene.modele@medecin.mssante.example",
    )
    assert 1 <= len(context.envid) <= 100


def test_subject_is_plain_ascii_on_the_wire() -> None:
    head = package().part("message").data.partition(b"\r\n\r\n")[0]
    assert b"\r\nSubject: XDM/1.0/DDM+CR de bilan fonctionnel LE GOFF-ESSAI MAELYS 14/03/2001\r\n" in head


def test_attachments_come_back_byte_for_byte() -> None:
    message = parsed(package())
    parts = {part.get_filename(): part.get_content() for part in message.iter_attachments()}
    archive = xdm.archive(document(), CDA, account=account(), now=NOW, ids=ids("archive"))
    assert parts == {
        "IHE_XDM.ZIP": archive,
        "20261122_CR de bilan fonctionnel_LE GOFF-ESSAI_MAELYS.pdf": PDF,
    }
    types = [part.get_content_type() for part in message.iter_attachments()]
    assert types == ["application/zip", "application/pdf"]
    assert not any(part.defects for part in message.walk())


def test_accented_type_gives_an_rfc_2231_name_and_a_cut_label() -> None:
    long = Code("11506-3", LOINC, "CR ou fiche de suivi de soins par auxiliaire médical")
    frozen = package(document(type=long))
    message = parsed(frozen)
    names = [part.get_filename() for part in message.iter_attachments()]
    assert names[1] == "20261122_CR ou fiche de suivi de soins par auxili_LE GOFF-ESSAI_MAELYS.pdf"
    assert message["Subject"].startswith("XDM/1.0/DDM+CR ou fiche de suivi de soins par auxili LE GOFF")
    accented = Code("x", LOINC, "Synthèse d'épisode de soins")
    frozen = package(document(type=accented))
    assert b"filename*=utf-8''20261122_Synth%C3%A8se%20d%27%C3%A9pisode" in frozen.part("message").data
    assert [p.get_filename() for p in parsed(frozen).iter_attachments()][1].startswith("20261122_Synthèse d'épisode")


def test_text_for_a_doctor_names_the_patient_and_the_files() -> None:
    body = parsed(package()).get_body(("plain",))
    assert body is not None
    text = body.get_content()
    for expected in ("Maëlys LE GOFF-ESSAI, née le 14/03/2001", "IHE_XDM.ZIP", "Tél. 0296000000", "« Bilan initial"):
        assert expected in text
    assert "{" not in text


def test_text_for_a_patient_is_another_one() -> None:
    body = parsed(package(recipient=PATIENT)).get_body(("plain",))
    assert body is not None
    text = body.get_content()
    assert "Votre kinésithérapeute" in text
    assert "logiciel métier" not in text
    assert "appelez le 15" in text


def test_patient_gets_it_at_the_matricule_s_address() -> None:
    message = parsed(package(recipient=PATIENT))
    assert message["To"] == "201032227890155@patient.mssante.fr"
    assert "X-MSS-MES" not in message


def test_reply_stopped_for_patients_only_when_configured() -> None:
    stopped = parsed(package(recipient=PATIENT, patient_replies=False))
    assert stopped["X-MSS-MES"] == "FIN"
    assert "X-MSS-MES" not in parsed(package(patient_replies=False))
    body = stopped.get_body(("plain",))
    assert body is not None
    assert "pas possible de répondre" in body.get_content()


def test_no_ins_no_flag_and_no_patient_mail() -> None:
    doc = document(patient=replace(PATIENT, ins=None))
    assert parsed(package(doc))["X-MSS-INS"] == "N"
    assert b"201032227890155" not in package(doc).part("message").data
    with pytest.raises(PackageError) as refused:
        package(doc, recipient=doc.header.patient)
    assert refused.value.code == "PKG-001"


def test_hidden_document_is_never_mailed_to_the_patient() -> None:
    with pytest.raises(PackageError) as refused:
        package(document(visibility=(HIDDEN,)), recipient=PATIENT)
    assert refused.value.code == "PKG-004"


def test_addressee_without_box() -> None:
    with pytest.raises(PackageError) as refused:
        package(recipient=replace(ADDRESSEE, professional=replace(DOCTOR, telecoms=())))
    assert refused.value.code == "PKG-003"


def test_archive_must_hold_the_document() -> None:
    with pytest.raises(PackageError) as refused:
        mail.mail_package(
            document(), recipient=ADDRESSEE, account=account(), cda=CDA, pdf=PDF, xdm=b"zip", now=NOW, ids=ids()
        )
    assert refused.value.code == "PKG-005"


def test_same_arguments_same_bytes() -> None:
    assert package() == package()


@pytest.mark.parametrize("bad", ["a\r\nBcc: x@evil.example", "a\nb", "a\x00b", "é\r\n b"])
def test_header_injection_is_impossible(bad: str) -> None:
    with pytest.raises(ValueError, match="control"):
        package(display_name=bad)
    with pytest.raises((ValueError, PackageError)):
        package(nil=bad)
    with pytest.raises(PackageError):
        package(mailbox=f"a@b.example{bad}")
    hostile = document(patient=replace(PATIENT, birth_family=bad, first_given=bad))
    frozen = mail.mail_package(
        hostile, recipient=ADDRESSEE, account=account(), cda=CDA, pdf=PDF, xdm=CDA, now=NOW, ids=ids()
    )
    assert set(parsed(frozen)) == set(parsed(package()))


@given(
    st.text(st.characters(blacklist_categories=("Cs",)), min_size=1, max_size=80),
    st.text(st.characters(blacklist_categories=("Cs",)), min_size=1, max_size=80),
    st.binary(min_size=1, max_size=300),
)
def test_any_text_gives_a_clean_message(name: str, title: str, pdf: bytes) -> None:
    doc = document(patient=replace(PATIENT, birth_family=name), title=title)
    header = doc.header
    assert mail.subject(header).isascii()
    field = mail.pdf_name(header)
    assert field.count("_") == 3
    assert not set('/\\:*?"<>|\r\n\x00') & set(field)
    mine = account()
    data = (
        mail.mail_package(doc, recipient=ADDRESSEE, account=mine, cda=CDA, pdf=pdf, xdm=CDA, now=NOW, ids=ids())
        .part("message")
        .data
    )
    assert b"\n" not in data.replace(b"\r\n", b"")
    assert b"\r" not in data.replace(b"\r\n", b"")
    assert max(map(len, data.split(b"\r\n"))) <= 998
    message = email.message_from_bytes(data, policy=email.policy.SMTP)
    assert isinstance(message, EmailMessage)
    assert [part.get_content() for part in message.iter_attachments()] == [CDA, pdf]
    assert not message.defects


def test_quoted_display_name() -> None:
    message = parsed(package(display_name='Cabinet "A", B\\C'))
    address = message["From"].addresses[0]
    assert (address.display_name, address.addr_spec) == ('Cabinet "A", B\\C', account().mailbox)


def test_long_display_name_is_split_into_short_encoded_words() -> None:
    name = "Mme_Éloïse_" + "É" * 120
    frozen = package(display_name=name)
    # Not the new policy: its phrase parser keeps the blank between encoded words, against RFC 2047 §6.2.
    raw = email.message_from_bytes(frozen.part("message").data)["From"]
    decoded = str(email.header.make_header(email.header.decode_header(raw)))
    assert decoded.rpartition(" <")[0].strip() == name
    head = frozen.part("message").data.partition(b"To: ")[0]
    assert max(len(word) for word in head.split() if word.startswith(b"=?")) <= 75


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("Éloïse Œuvré", "Eloise OEuvre"),
        ("D’Artagnan — Ç", "D'Artagnan - C"),
        ("Łukasz Ångström", "Lukasz Angstrom"),
        ("a\r\nb", "a b"),
        ("日", "?"),
    ],
)
def test_ascii(text: str, plain: str) -> None:
    assert ascii_only(text) == plain


def test_file_field() -> None:
    assert file_field("A/B_C\\D:E") == "A B C D E"
    assert file_field("...") == "-"
