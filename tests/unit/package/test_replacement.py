"""What a corrected version says in XDS metadata and in the mail, towards each place that has the earlier one."""

from __future__ import annotations

import email
import email.policy
import io
import zipfile
from dataclasses import replace
from email.message import EmailMessage
from typing import Any

import pytest
from lxml import etree

from gateway.document.model import ClinicalDocument, DocumentRef
from gateway.errors import PackageError
from gateway.package import dmp, mail, xdm
from gateway.package.types import DmpContext, MailContext, context_from_json, context_to_json
from tests.unit.package.samples import ADDRESSEE, CDA, NOW, PATIENT, PDF, account, document, ids

RIM = {"rim": "urn:oasis:names:tc:ebxml-regrep:xsd:rim:3.0"}
RPLC = "//rim:Association[@associationType='urn:ihe:iti:2007:AssociationType:RPLC']"
OLD = "urn:uuid:11111111-1111-4111-8111-111111111111"
BOX = "helene.modele@medecin.mssante.example"


def corrected(**known: Any) -> ClinicalDocument:
    made = document()
    return replace(made, header=replace(made.header, version=2, replaces=DocumentRef("2.25.3", 1, **known)))


def metadata(made: ClinicalDocument) -> etree._Element:
    archive = xdm.archive(made, CDA, account=account(), now=NOW, ids=ids("archive"))
    with zipfile.ZipFile(io.BytesIO(archive)) as opened:
        return etree.fromstring(opened.read("IHE_XDM/SUBSET01/METADATA.XML"))


def found(root: etree._Element, path: str) -> list[str]:
    values = root.xpath(path, namespaces=RIM)
    assert isinstance(values, list)
    return [str(value) for value in values]


def message(made: ClinicalDocument, recipient: Any = ADDRESSEE) -> EmailMessage:
    archive = xdm.archive(made, CDA, account=account(), now=NOW, ids=ids("archive"))
    package = mail.mail_package(
        made, recipient=recipient, account=account(), cda=CDA, pdf=PDF, xdm=archive, now=NOW, ids=ids("mail")
    )
    read = email.message_from_bytes(package.part("message").data, policy=email.policy.SMTP)
    assert isinstance(read, EmailMessage)
    return read


def test_the_archive_links_its_entry_to_the_former_one() -> None:
    root = metadata(corrected(archive_entry=OLD))
    assert found(root, f"{RPLC}/@targetObject") == [OLD]
    assert found(root, f"{RPLC}/@sourceObject") == found(root, "//rim:ExtrinsicObject/@id")
    assert found(root, f"{RPLC}/rim:Slot/@name") == []
    ordinary = metadata(document())
    assert found(ordinary, f"{RPLC}/@id") == []
    # The association comes last: nothing else of the metadata changes.
    assert found(ordinary, "//@id") == found(root, "//@id")[: len(found(ordinary, "//@id"))]


def test_the_entry_id_of_an_archive_is_found_again() -> None:
    archive = xdm.archive(document(), CDA, account=account(), now=NOW, ids=ids("archive"))
    assert [xdm.entry_id(archive)] == found(metadata(document()), "//rim:ExtrinsicObject/@id")


def test_the_dmp_request_names_what_it_was_sent() -> None:
    made = corrected(registry_entry=OLD, archive_entry="urn:uuid:other")
    package = dmp.dmp_package(made, CDA, account=account(), keys=None, now=NOW, ids=ids("dmp"))
    assert isinstance(package.context, DmpContext)
    root = etree.fromstring(package.part("metadata").data)
    assert found(root, f"{RPLC}/@targetObject") == [OLD]
    assert found(root, f"{RPLC}/@sourceObject") == [package.context.document_entry]


def test_the_dmp_cannot_replace_what_it_never_got() -> None:
    with pytest.raises(PackageError) as refused:
        dmp.dmp_package(corrected(archive_entry=OLD), CDA, account=account(), keys=None, now=NOW, ids=ids("dmp"))
    assert refused.value.code == "PKG-007"


def test_the_mail_says_so_to_whom_had_the_earlier_one() -> None:
    read = message(corrected(messages=((BOX.upper(), "<1@kine.mssante.example>"), ("other@x.y", "<2@x>"))))
    assert read["Subject"].startswith("[Annule et remplace] XDM/1.0/DDM+CR de bilan fonctionnel LE GOFF-ESSAI")
    assert (read["In-Reply-To"], read["References"]) == ("<1@kine.mssante.example>", "<1@kine.mssante.example>")


def test_and_to_nobody_else() -> None:
    made = corrected(messages=((BOX, "<1@kine.mssante.example>"),))
    for read in (message(made, PATIENT), message(document())):
        assert read["Subject"].startswith("XDM/1.0/DDM+")
        assert (read["In-Reply-To"], read["References"]) == (None, None)


def test_contexts_stored_before_the_document_s_id_was_kept_are_read() -> None:
    old = b'{"channel":"mssante","envelope_from":"a@b","envelope_to":"c@d","envid":"e","message_id":"<m>"}'
    assert context_from_json(old) == MailContext("a@b", "c@d", "<m>", "e", "")
    new = MailContext("a@b", "c@d", "<m>", "e", "2.25.1")
    assert context_from_json(context_to_json(new)) == new
