"""Packing a stored document anew: the same bytes of CDA, PDF and archive, another envelope.

The document is read back from its own renderings, so that whatever the new mail or set says of it is what it says
itself. Everything that a package draws (Message-ID, set, signature) is drawn afresh (DESIGN §4 rule 7).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from email.parser import BytesHeaderParser
from itertools import count
from typing import TYPE_CHECKING

from gateway.document.model import Addressee, Id, PersonName, Professional, Telecom
from gateway.errors import NotFoundError
from gateway.package import mail
from gateway.package.feed import feed_package
from gateway.package.types import DmpContext, MailContext, context_from_json
from gateway.read import cda as cda_reader
from gateway.read import xdm as xdm_reader

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from gateway.clock import Randomness
    from gateway.document.lineage import DocumentRef
    from gateway.document.model import ClinicalDocument, PatientIdentity
    from gateway.package.keys import SigningKeys
    from gateway.package.types import Package, SendContext
    from gateway.settings import AccountSettings
    from gateway.store.base import Store
    from gateway.terminology import Terminology


@dataclass(frozen=True, slots=True)
class Edition:
    """A stored form of a document, and the document that it was read back to (visibility included)."""

    document: ClinicalDocument
    cda: bytes
    pdf: bytes
    xdm: bytes


@dataclass(frozen=True, slots=True)
class Making:
    """What packing needs besides the edition."""

    account: AccountSettings
    now: datetime
    ids: Randomness


def editions(store: Store, document_id: str, terminology: Terminology) -> Iterator[Edition]:
    """Every edition of a stored document, the main one first. Raises NotFoundError once it is erased."""
    for number in count(1):
        suffix = "" if number == 1 else f"-{number}"
        try:
            cda, pdf, xdm = (store.rendering(document_id, f"{name}{suffix}").data for name in ("cda", "pdf", "xdm"))
        except NotFoundError:
            if number == 1:
                raise
            return
        yield Edition(_read(cda, xdm, terminology), cda, pdf, xdm)


def _read(cda: bytes, xdm: bytes, terminology: Terminology) -> ClinicalDocument:
    document = cda_reader.read(cda, terminology).document
    assert document is not None  # the store holds what this product wrote
    [held] = xdm_reader.read(xdm, terminology).documents
    # A CDA says nothing of who may see it in the DMP: the metadata of its archive do.
    visibility = held.metadata.confidentiality[1:] if held.metadata is not None else ()
    return replace(document, header=replace(document.header, visibility=visibility))


def edition_of(store: Store, document_id: str, terminology: Terminology, context: SendContext | None) -> Edition | None:
    """The edition that a delivery takes somewhere. One that never had a package takes an edition that replaces
    nothing; None where there is no such edition.
    """
    found = list(editions(store, document_id, terminology))
    if context is None:
        return next((one for one in found if one.document.header.replaces is None), None)
    wanted = context.document_id
    return next((one for one in found if one.document.header.id == wanted), found[0])


def context_of(store: Store, delivery_id: str) -> SendContext | None:
    """The send context of a delivery; None without a package."""
    data = store.context(delivery_id)
    return None if data is None else context_from_json(data)


def threaded(store: Store, delivery_id: str) -> str | None:
    """Message-ID of the mail that a delivery's mail replaces, as its own header says."""
    for part in store.parts(delivery_id):
        if part.name == "message":
            return BytesHeaderParser().parsebytes(part.data).get("In-Reply-To")
    return None


def mail_to(edition: Edition, address: str, making: Making, replaced: str | None) -> Package:
    """The mail that takes an edition to a professional's mailbox. `replaced`: Message-ID of the mail it replaces."""
    box = Telecom(f"mailto:{address}", "WP", mssante=True)
    nobody = Professional(Id("", ""), "", PersonName("", ""), None, telecoms=(box,))
    return _mail(edition, Addressee("autre_professionnel", nobody), address, making, replaced)


def mail_to_patient(edition: Edition, making: Making, replaced: str | None) -> Package:
    """The mail to the patient's own box. Raises PackageError like `mail_package`."""
    patient = edition.document.header.patient
    address = mail.address_of(edition.document, patient)
    return _mail(edition, patient, address, making, replaced)


def _mail(
    edition: Edition, recipient: Addressee | PatientIdentity, address: str, making: Making, replaced: str | None
) -> Package:
    header = edition.document.header
    former = header.replaces
    if former is not None and replaced is not None:
        former = replace(former, messages=((address, replaced),))
    return mail.mail_package(
        _with(edition.document, former),
        recipient=recipient,
        account=making.account,
        cda=edition.cda,
        pdf=edition.pdf,
        xdm=edition.xdm,
        now=making.now,
        ids=making.ids,
    )


def feed(edition: Edition, making: Making, keys: SigningKeys | None, before: DmpContext | None) -> Package:
    """A new set for the DMP, signed now. `before` is what was sent: it names the entry that the document replaces.

    Raises PackageError like `feed_package`.
    """
    former = edition.document.header.replaces
    if former is not None and before is not None:
        former = replace(former, registry_entry=before.replaces_entry or None)
    return feed_package(
        _with(edition.document, former),
        edition.cda,
        account=making.account,
        keys=keys,
        now=making.now,
        ids=making.ids,
    )


def _with(document: ClinicalDocument, former: DocumentRef | None) -> ClinicalDocument:
    return replace(document, header=replace(document.header, replaces=former))


def address_of(context: SendContext | None) -> str | None:
    """The mailbox that a mail goes to; None for anything else."""
    return context.envelope_to if isinstance(context, MailContext) else None
