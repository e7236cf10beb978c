"""The DMP package: metadata, document and submission-set signature, frozen and ready for ITI-41."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from gateway.clock import Randomness
from gateway.document.model import ClinicalDocument, Code, Header
from gateway.errors import PackageError
from gateway.package import ebxml, mtom, xds
from gateway.package.keys import SigningKeys
from gateway.package.signature import ProfileName, Signed, sign_submission_set
from gateway.package.types import DmpContext, DmpIdentity, Door, Package, Part
from gateway.settings import AccountSettings

UNSIGNED_TYPE = "application/x-unsigned-preview+xml"
"""Media type of the signature part of a package made without keys: no channel sends it."""
PREVIEW_ENDPOINT = "urn:kine-gateway:apercu"


def dmp_package(
    document: ClinicalDocument,
    cda: bytes,
    *,
    account: AccountSettings,
    keys: SigningKeys | None,
    now: datetime,
    ids: Randomness,
) -> Package:
    """Freeze a feed: parts `metadata` (SubmitObjectsRequest), `document` (the CDA) and `signature` (XAdES).

    `now` is the submission and signing time. Without `keys` the signature is an unsigned preview, marked by its
    media type and a comment inside. Same arguments, same bytes.

    Raises PackageError `PKG-001` when the document carries no INS, `PKG-007` when it replaces a document that the
    DMP was never sent.
    """
    if document.header.patient.ins is None:
        raise xds.no_ins()
    submission = _submission(document, account, now, ids)
    signature = sign_submission_set(
        submission.set.unique_id,
        [Signed(document.header.id, cda)],
        keys,
        profile=_profile(account),
        signature_id=f"_{ids.uuid()}",
        now=now,
    )
    metadata = ebxml.serialise(ebxml.submit_request(submission))
    parts = (
        Part("metadata", "text/xml", metadata),
        Part("document", "text/xml", cda),
        Part("signature", "text/xml" if keys is not None else UNSIGNED_TYPE, signature),
    )
    entry, signed = submission.entries
    context = context_of(
        document.header, account, lot=submission.set.unique_id, entry=entry.id, signature_entry=signed.id
    )
    return Package(parts, context)


def is_signed(package: Package) -> bool:
    """Whether the package was signed, and so may be sent."""
    return package.part("signature").media_type != UNSIGNED_TYPE


def request_preview(package: Package) -> bytes:
    """The frozen parts of the ITI-41 body as one MIME entity, headers first (`dmp-request.bin`).

    What is made at send time (VIHF, MessageID, address of the service) is missing, and a comment says so. A request of
    the FHIR door is complete as it is.
    """
    if isinstance(package.context, DmpContext) and package.context.door != "soap":
        return package.part("request").data
    body = mtom.feed(package, to=PREVIEW_ENDPOINT, message_id=None, assertion=None)
    state = "frozen parts only; VIHF and MessageID are made at send time"
    if not is_signed(package):
        state += "; UNSIGNED PREVIEW, NOT SENDABLE"
    head = f"MIME-Version: 1.0\r\nX-Kine-Gateway-Preview: {state}\r\nContent-Type: {body.content_type}\r\n\r\n"
    return head.encode("ascii") + body.data


def _profile(account: AccountSettings) -> ProfileName:
    return account.dmp.profile if account.dmp is not None else "modern"


def _submission(document: ClinicalDocument, account: AccountSettings, now: datetime, ids: Randomness) -> xds.Submission:
    entry = xds.document_entry(document, ids.uuid())
    signature = xds.signature_entry(document, ids.uuid(), ids.uuid(), now)
    lot = xds.submission_set(document, set_id=ids.uuid(), unique_id=ids.uuid(), source_id=account.oid_root, now=now)
    links = (
        xds.has_member(ids.uuid(), lot, entry),
        xds.has_member(ids.uuid(), lot, signature),
        xds.signs(ids.uuid(), signature, lot),
    )
    return xds.Submission(lot, (entry, signature), links + _replacement(document, entry, ids))


def _replacement(document: ClinicalDocument, entry: xds.DocumentEntry, ids: Randomness) -> tuple[xds.Association, ...]:
    """RPLC towards the entry that was sent before. The registry keeps the entryUUID of a first submission; one that
    changed since (a new version of its metadata) is found by a stored query just before the feed (TD3.1b).
    """
    former = document.header.replaces
    if former is None:
        return ()
    if former.registry_entry is None:
        raise no_former()
    return (xds.replaces(ids.uuid(), entry, former.registry_entry),)


def no_former() -> PackageError:
    """`PKG-007`: a replacement of what the DMP does not have."""
    return PackageError(
        "PKG-007",
        "Le DMP n'a pas la version que ce document remplace.",
        "Envoyez-le au DMP comme un premier document.",
    )


def identity_of(header: Header, account: AccountSettings) -> DmpIdentity:
    """Who acts for the patient of a document, in the account's authentication mode.

    Raises PackageError `PKG-001` without INS, `PKG-006` when the author's profession is not one of TRE_G15.
    """
    ins = header.patient.ins
    if ins is None:
        raise xds.no_ins()
    author = header.author
    structure = author.structure or header.custodian
    role = _role(author.profession)
    person = author.id.extension
    return DmpIdentity(
        ins=ins.extension,
        ins_oid=ins.root,
        mode=account.dmp.mode if account.dmp is not None else "indirect",
        author_id=person,
        author_name=f"{author.name.family} {author.name.given}",
        role_code=role.code,
        role_display=role.display,
        structure_id=structure.id.extension,
        sector=f"{header.facility_type.code}^{header.facility_type.system}",
        name_id=_name_id(structure.id.extension, person, account),
    )


def acting(context: DmpContext, account: AccountSettings) -> DmpContext:
    """The context of a feed as the account would act today: its authentication mode may have changed since."""
    mode = account.dmp.mode if account.dmp is not None else "indirect"
    return replace(context, mode=mode, name_id=_name_id(context.structure_id, context.author_id, account))


def _name_id(structure: str, person: str, account: AccountSettings) -> str:
    if account.dmp is not None and account.dmp.mode == "direct":
        return person
    return f"{structure}/{account.dmp.local_id if account.dmp is not None else account.id}"


def context_of(
    header: Header, account: AccountSettings, *, lot: str, entry: str, signature_entry: str = "", door: Door = "soap"
) -> DmpContext:
    """The context of a feed by either door: `lot` is the set's uniqueId, `entry` the document's entryUUID.

    Raises PackageError like `identity_of`.
    """
    former = header.replaces
    return DmpContext(
        **identity_of(header, account).identity,
        submission_set_id=lot,
        document_id=header.id,
        document_entry=entry,
        signature_entry=signature_entry,
        replaces_document=former.id if former is not None else "",
        replaces_entry=(former.registry_entry or "") if former is not None else "",
        door=door,
    )


def _role(profession: Code | None) -> Code:
    """The G15 profession behind a code of JDV_J01: `G15_70` is profession 70, `G15_10/SM54` profession 10."""
    if profession is None or not profession.code.startswith("G15_"):
        raise PackageError(
            "PKG-006",
            "La profession de l'auteur est inconnue : le DMP l'exige.",
            "Renseignez author.profession (G15_70 pour un masseur-kinésithérapeute).",
        )
    code = profession.code.removeprefix("G15_").partition("/")[0]
    return Code(code, "1.2.250.1.71.1.2.7", profession.display)
