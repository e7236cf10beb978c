"""The table of broken requests: each has one defect, and exactly one answer is right for it."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from lxml import etree

from . import builders as b
from .builders import Draft, E
from .conftest import Dmp

REGISTRY = "XDSRegistryMetadataError"
REPOSITORY = "XDSRepositoryMetadataError"
PACKAGING = "XDSRepositoryError"
CONTENT = "InvalidDocumentContent"
SENDER = "env:Sender"
INVALID = "wsse:InvalidSecurity"
TOKEN = "wsse:InvalidSecurityToken"
FAILED = "wsse:FailedCheck"
AUTHENTICATION = "wsse:FailedAuthentication"

Set = Callable[[Dmp, Draft], None]


@dataclass(frozen=True)
class Defect:
    """`change` prepares the draft; `expected` is an IHE code, or the subcode of a fault (or its code)."""

    name: str
    expected: str | tuple[str, ...]
    change: Set
    mode: str = "INDIRECTE"
    peer: str = "auth"


def stage(name: str, change: Callable[[Any], Any]) -> Set:
    def apply(dmp: Dmp, draft: Draft) -> None:
        draft.edits[name] = change

    return apply


def find(root: E, path: str) -> E:
    spaces = {
        "rim": b.RIM,
        "saml": b.SAML,
        "ds": b.DS,
        "s": b.ENV,
        "wsa": b.WSA,
        "wsse": b.WSSE,
        "h": b.HL7,
        "xds": b.XDSB,
        "x132": "http://uri.etsi.org/01903/v1.3.2#",
    }
    found = root.xpath(path, namespaces=spaces)
    assert isinstance(found, list), path
    assert found, path
    element = found[0]
    assert isinstance(element, E)
    return element


def attribute(path: str, name: str, value: str) -> Callable[[E], None]:
    return lambda root: find(root, path).set(name, value)


def words(path: str, value: str) -> Callable[[E], None]:
    def change(root: E) -> None:
        find(root, path).text = value

    return change


def remove(path: str) -> Callable[[E], None]:
    def change(root: E) -> None:
        element = find(root, path)
        parent = element.getparent()
        assert parent is not None
        parent.remove(element)

    return change


def repeat(path: str) -> Callable[[E], None]:
    def change(root: E) -> None:
        element = find(root, path)
        element.addnext(copy.deepcopy(element))

    return change


# Places in the metadata.
SET = "//rim:RegistryPackage"
DOC = "//rim:ExtrinsicObject[@id='Document01']"
SIG = "//rim:ExtrinsicObject[@id='Signature01']"


def slot(owner: str, name: str) -> str:
    return f"{owner}/rim:Slot[@name='{name}']"


def value(owner: str, name: str) -> str:
    return f"{slot(owner, name)}/rim:ValueList/rim:Value"


def code(owner: str, scheme: str) -> str:
    return f"{owner}/rim:Classification[@classificationScheme='urn:uuid:{scheme}']"


def scheme_of(owner: str, scheme: str) -> str:
    return f"{code(owner, scheme)}/rim:Slot[@name='codingScheme']/rim:ValueList/rim:Value"


def author_slot(owner: str, scheme: str, name: str) -> str:
    return f"{code(owner, scheme)}/rim:Slot[@name='{name}']/rim:ValueList/rim:Value"


def identifier(owner: str, scheme: str) -> str:
    return f"{owner}/rim:ExternalIdentifier[@identificationScheme='urn:uuid:{scheme}']"


SET_AUTHOR = "a7058bb9-b4e4-4307-ba5b-e3f0ab85e12d"
DOC_AUTHOR = "93606bcf-9494-43ec-9b4e-a7748d1a838d"
SET_CONTENT = "aa543740-bdda-424e-8c96-df4873be8500"
SET_PATIENT = "6b5aea1a-874d-4603-a4bc-96a0a7b38446"
SET_SOURCE = "554ac39e-e3fe-47fe-b233-965d2a147832"
SET_UNIQUE = "96fdda7c-d067-4183-912e-bf5ee74998a8"
DOC_PATIENT = "58a6f841-87b3-4a3e-92fd-a8ffeff98427"
DOC_UNIQUE = "2e82c1f6-a085-4c72-9da3-8640a32e42ab"
INS_CX = f"{b.INS}^^^&{b.INS_OID}&ISO^NH"


def local_patient(root: E) -> None:
    """The whole request under an identifier of a local kind."""
    for owner, scheme in ((SET, SET_PATIENT), (DOC, DOC_PATIENT), (SIG, DOC_PATIENT)):
        find(root, identifier(owner, scheme)).set("value", f"{b.INS}^^^&{b.INS_OID}&ISO^PI")


def metadata(name: str, change: Callable[[E], Any], expected: str | tuple[str, ...] = REGISTRY) -> Defect:
    return Defect(name, expected, stage("metadata", change))


def add_slot(owner: str, name: str, *values: str) -> Callable[[E], None]:
    def change(root: E) -> None:
        b.slot(find(root, owner), name, *values)

    return change


def add_code(owner: str, scheme: str, *parts: str) -> Callable[[E], None]:
    def change(root: E) -> None:
        b.classify(find(root, owner), scheme, *parts)

    return change


def add_link(kind: str, source: str, target: str, *, original: bool = False) -> Callable[[E], None]:
    def change(root: E) -> None:
        b.associate(find(root, "//rim:RegistryObjectList"), kind, source, target, original=original)

    return change


def _add_folder(root: E) -> None:
    listed = find(root, "//rim:RegistryObjectList")
    b._add(listed, "RegistryPackage", id="Folder01")
    b._add(
        listed,
        "Classification",
        id="folder-mark",
        classifiedObject="Folder01",
        classificationNode="urn:uuid:d9d542f3-6cc4-48b6-8870-ea235fbc94c2",
    )


def _second_set(root: E) -> None:
    listed = find(root, "//rim:RegistryObjectList")
    b._add(listed, "RegistryPackage", id="SubmissionSet02")
    b._add(
        listed,
        "Classification",
        id="mark2",
        classifiedObject="SubmissionSet02",
        classificationNode="urn:uuid:a54d6aa5-d40d-43f9-88c5-b4633d873bdd",
    )


def _without_signature(root: E) -> None:
    remove(SIG)(root)
    remove("//rim:Association[@targetObject='Signature01']")(root)
    remove("//rim:Association[@sourceObject='Signature01']")(root)


def _no_offset(root: E) -> None:
    element = find(root, "//h:ClinicalDocument/h:effectiveTime")
    element.set("value", element.get("value", "").partition("+")[0])


def _related(root: E) -> None:
    related = etree.Element(f"{{{b.HL7}}}relatedDocument", typeCode="RPLC")
    parent = etree.SubElement(related, f"{{{b.HL7}}}parentDocument")
    etree.SubElement(parent, f"{{{b.HL7}}}id", root="2.25.7")
    find(root, "//h:componentOf").addprevious(related)


def _pdf_body(root: E) -> None:
    component = find(root, "//h:ClinicalDocument/h:component")
    for child in list(component):
        component.remove(child)
    body = etree.SubElement(component, f"{{{b.HL7}}}nonXMLBody")
    etree.SubElement(body, f"{{{b.HL7}}}text").text = "SGVsbG8="


def _flip(element: E) -> None:
    """Change the first character of a base64 text."""
    text = element.text or ""
    element.text = ("B" if text[0] == "A" else "A") + text[1:]


def _swap(element: E) -> None:
    following = element.getnext()
    assert following is not None
    following.addnext(element)


def _extra_document(dmp: Dmp, draft: Draft) -> None:
    def add(root: E) -> None:
        extra = copy.deepcopy(find(root, "//xds:Document[1]"))
        extra.set("id", "Document99")
        extra[0].set("href", "cid:extra%40essai")
        root.append(extra)

    draft.edits["payload"] = add
    draft.edits["parts"] = lambda parts: parts.append([{"Content-ID": "<extra@essai>"}, b"<extra/>"])


METADATA = [
    metadata("set: no submissionTime", remove(slot(SET, "submissionTime"))),
    metadata("set: submissionTime with an offset", words(value(SET, "submissionTime"), "20261122101500+0100")),
    metadata("set: submissionTime is no date", words(value(SET, "submissionTime"), "20261345101500")),
    metadata("set: no contentTypeCode", remove(code(SET, SET_CONTENT))),
    metadata("set: contentTypeCode out of JDV_J59", attribute(code(SET, SET_CONTENT), "nodeRepresentation", "99")),
    metadata("set: contentTypeCode of another scheme", words(scheme_of(SET, SET_CONTENT), "1.2.250.1.213.2.3")),
    metadata("set: no author", remove(code(SET, SET_AUTHOR))),
    metadata("set: two authors", lambda r: b.author(find(r, SET), SET_AUTHOR) is None),
    metadata("set: no sourceId", remove(identifier(SET, SET_SOURCE))),
    metadata("set: sourceId is no OID", attribute(identifier(SET, SET_SOURCE), "value", "cabinet-1")),
    metadata(
        "set: sourceId of another name",
        attribute(f"{identifier(SET, SET_SOURCE)}/rim:Name/rim:LocalizedString", "value", "XDSSubmissionSet.patientId"),
    ),
    metadata("set: no patientId", remove(identifier(SET, SET_PATIENT))),
    metadata("set: not marked as a submission set", remove("//rim:Classification[@classificationNode]"), REGISTRY),
    metadata("set: a folder beside it", _add_folder),
    metadata("set: two submission sets", _second_set),
    metadata(
        "set: status is not Approved for a document",
        attribute(DOC, "status", "urn:oasis:names:tc:ebxml-regrep:StatusType:Deprecated"),
    ),
    metadata("entry: objectType of something else", attribute(DOC, "objectType", f"urn:uuid:{DOC_UNIQUE}")),
    metadata("entry: no creationTime", remove(slot(DOC, "creationTime")), (REGISTRY, REPOSITORY)),
    metadata("entry: creationTime written twice", repeat(slot(DOC, "creationTime"))),
    metadata("entry: no title", remove(f"{DOC}/rim:Name"), (REGISTRY, REPOSITORY)),
    metadata("entry: no languageCode", remove(slot(DOC, "languageCode")), (REGISTRY, REPOSITORY)),
    metadata("entry: no legalAuthenticator", remove(slot(DOC, "legalAuthenticator")), (REGISTRY, REPOSITORY)),
    metadata("entry: no serviceStartTime", remove(slot(DOC, "serviceStartTime")), (REGISTRY, REPOSITORY)),
    metadata(
        "entry: service ends before it starts",
        words(value(DOC, "serviceStopTime"), "20200101000000"),
        (REGISTRY, REPOSITORY),
    ),
    metadata("entry: no sourcePatientId", remove(slot(DOC, "sourcePatientId")), (REGISTRY, REPOSITORY)),
    metadata(
        "entry: SourcePatientInfo with a capital",
        attribute(slot(DOC, "sourcePatientInfo"), "name", "SourcePatientInfo"),
    ),
    metadata("entry: sourcePatientInfo of an unknown field", words(value(DOC, "sourcePatientInfo"), "PID-99|X")),
    metadata(
        "entry: sourcePatientId says NH under a local OID",
        words(value(DOC, "sourcePatientId"), "IPP-1^^^&1.2.250.1.999.8&ISO^NH"),
    ),
    metadata("entry: mimeType application/pdf", attribute(DOC, "mimeType", "application/pdf"), (REGISTRY, CONTENT)),
    metadata("entry: no classCode", remove(code(DOC, b.CLASS))),
    metadata("entry: classCode unknown", attribute(code(DOC, b.CLASS), "nodeRepresentation", "12345")),
    metadata("entry: classCode that is not the type's", attribute(code(DOC, b.CLASS), "nodeRepresentation", "11")),
    metadata("entry: classCode under another scheme", words(scheme_of(DOC, b.CLASS), "1.2.250.1.213.1.1.4.2")),
    metadata("entry: classCode without display name", remove(f"{code(DOC, b.CLASS)}/rim:Name")),
    metadata("entry: classCode without codingScheme", remove(f"{code(DOC, b.CLASS)}/rim:Slot")),
    metadata("entry: classCode of another object", attribute(code(DOC, b.CLASS), "classifiedObject", "Signature01")),
    metadata("entry: two typeCodes", repeat(code(DOC, b.TYPE))),
    metadata(
        "entry: formatCode under the ANS tool's wrong scheme", words(scheme_of(DOC, b.FORMAT), "1.2.250.1.213.1.1.4.12")
    ),
    metadata("entry: no formatCode", remove(code(DOC, b.FORMAT)), (REGISTRY, REPOSITORY)),
    metadata("entry: no facility", remove(code(DOC, b.FACILITY)), (REGISTRY, REPOSITORY)),
    metadata("entry: no practice setting", remove(code(DOC, b.PRACTICE)), (REGISTRY, REPOSITORY)),
    metadata("entry: no confidentialityCode", remove(code(DOC, b.CONFIDENTIALITY)), (REGISTRY, REPOSITORY)),
    metadata(
        "entry: the short name of the third mask",
        add_code(DOC, b.CONFIDENTIALITY, "INVISIBLE_REP_LEGAUX", b.MASKS, "Non visible"),
    ),
    metadata(
        "entry: a mask under the confidentiality scheme",
        add_code(DOC, b.CONFIDENTIALITY, "MASQUE_PS", "2.16.840.1.113883.5.25", "Masqué"),
    ),
    metadata(
        "entry: the same mask twice",
        lambda r: [add_code(DOC, b.CONFIDENTIALITY, "MASQUE_PS", b.MASKS, "Masqué")(r) for _ in range(2)] and None,
    ),
    metadata(
        "entry: both masks cumulated",
        lambda r: (
            [
                add_code(DOC, b.CONFIDENTIALITY, name, b.MASKS, "Masque")(r)
                for name in ("MASQUE_PS", "INVISIBLE_PATIENT")
            ]
            and None
        ),
        "LocalPolicyRestrictionError",
    ),
    metadata("entry: no patientId", remove(identifier(DOC, DOC_PATIENT)), (REGISTRY, REPOSITORY)),
    metadata(
        "entry: patientId of another patient",
        attribute(identifier(DOC, DOC_PATIENT), "value", f"277076322082910^^^&{b.INS_OID}&ISO^NH"),
        ("XDSPatientIdDoesNotMatch", REPOSITORY),
    ),
    metadata(
        "entry: uniqueId is no OID",
        attribute(identifier(DOC, DOC_UNIQUE), "value", "25AAD0C4-DFD1-46DF"),
        (REGISTRY, REPOSITORY, CONTENT),
    ),
    metadata(
        "entry: patientId under the name of uniqueId",
        attribute(f"{identifier(DOC, DOC_PATIENT)}/rim:Name/rim:LocalizedString", "value", "XDSDocumentEntry.uniqueId"),
    ),
    metadata(
        "entry: identifier of another object",
        attribute(identifier(DOC, DOC_PATIENT), "registryObject", "SubmissionSet01"),
    ),
    metadata("entry: no author", remove(code(DOC, DOC_AUTHOR)), (REGISTRY, REPOSITORY)),
    metadata(
        "entry: author without authorPerson",
        remove(f"{code(DOC, DOC_AUTHOR)}/rim:Slot[@name='authorPerson']"),
        (REGISTRY, REPOSITORY),
    ),
    metadata(
        "entry: authorPerson with a stray semicolon",
        words(author_slot(DOC, DOC_AUTHOR, "authorPerson"), b.XCN.replace("&ISO", "&ISO;")),
        (REGISTRY, REPOSITORY),
    ),
    metadata(
        "entry: RPPS without its prefix 8",
        words(author_slot(DOC, DOC_AUTHOR, "authorPerson"), b.XCN.replace(b.PS, b.RPPS)),
        (REGISTRY, REPOSITORY),
    ),
    metadata(
        "entry: RPPS given as an internal id",
        words(author_slot(DOC, DOC_AUTHOR, "authorPerson"), b.XCN.replace("IDNPS", "EI")),
    ),
    metadata(
        "entry: authorInstitution without &...&ISO",
        words(
            author_slot(DOC, DOC_AUTHOR, "authorInstitution"),
            f"Cabinet FICTIF^^^^^1.2.250.1.71.4.2.2^IDNST^^^{b.STRUCTURE}",
        ),
        (REGISTRY, REPOSITORY),
    ),
    metadata(
        "entry: authorSpecialty out of JDV_J01",
        words(author_slot(DOC, DOC_AUTHOR, "authorSpecialty"), "G15_99^Inconnu^1.2.250.1.213.1.1.4.5"),
        (REGISTRY, REPOSITORY),
    ),
    metadata(
        "entry: legalAuthenticator without a family name",
        words(value(DOC, "legalAuthenticator"), b.XCN.replace("TESTOU", "")),
        (REGISTRY, REPOSITORY),
    ),
    metadata("ids: an object without id", lambda r: find(r, code(DOC, b.CLASS)).attrib.pop("id") and None),
    metadata("ids: the same id twice", attribute(code(DOC, b.CLASS), "id", "SubmissionSet01")),
    metadata(
        "ids: the set's uniqueId is a document's too",
        lambda r: find(r, identifier(DOC, DOC_UNIQUE)).set(
            "value", find(r, identifier(SET, SET_UNIQUE)).get("value", "")
        ),
        ("XDSRegistryDuplicateUniqueIdInMessage", REPOSITORY, CONTENT),
    ),
    metadata(
        "ids: signature and document share a uniqueId",
        lambda r: find(r, identifier(SIG, DOC_UNIQUE)).set(
            "value", find(r, identifier(DOC, DOC_UNIQUE)).get("value", "")
        ),
        "XDSRegistryDuplicateUniqueIdInMessage",
    ),
    metadata("links: a document out of the set", remove("//rim:Association[@targetObject='Document01']")),
    metadata("links: HasMember without its slot", remove("//rim:Association[@targetObject='Document01']/rim:Slot")),
    metadata(
        "links: HasMember from nowhere",
        attribute("//rim:Association[@targetObject='Document01']", "sourceObject", "SubmissionSet99"),
    ),
    metadata(
        "links: HasMember to nowhere",
        attribute("//rim:Association[@targetObject='Document01']", "targetObject", f"urn:uuid:{DOC_UNIQUE}"),
        ("UnresolvedReferenceException", REGISTRY),
    ),
    metadata("links: no signs", remove("//rim:Association[contains(@associationType, 'signs')]")),
    metadata(
        "links: the document signs, not the signature",
        attribute("//rim:Association[contains(@associationType, 'signs')]", "sourceObject", "Document01"),
    ),
    metadata(
        "links: an unknown kind", add_link("urn:ihe:iti:2007:AssociationType:XFRM_X", "Document01", "Signature01")
    ),
    metadata("links: replaces what is in the same set", add_link(b.RPLC, "Document01", "Signature01")),
    metadata(
        "links: replaces what the DMP does not hold",
        add_link(b.RPLC, "Document01", f"urn:uuid:{DOC_UNIQUE}"),
        "UnresolvedReferenceException",
    ),
    metadata("links: replacement from nowhere", add_link(b.RPLC, "Document99", f"urn:uuid:{DOC_UNIQUE}")),
    metadata(
        "list: an object that XDS has not",
        lambda r: b._add(find(r, "//rim:RegistryObjectList"), "Service", id="x") is None,
    ),
    metadata("hash that is not the document's", add_slot(DOC, "hash", "0" * 40), "XDSNonIdenticalHash"),
    metadata("size that is not the document's", add_slot(DOC, "size", "12"), "XDSNonIdenticalSize"),
    metadata("signature entry: language is not art", words(value(SIG, "languageCode"), "fr-FR")),
    metadata("signature entry: typeCode of a document", attribute(code(SIG, b.TYPE), "nodeRepresentation", "47420-5")),
    metadata("signature entry: another title", attribute(f"{SIG}/rim:Name/rim:LocalizedString", "value", "Signature")),
    metadata(
        "signature entry: visible to the patient",
        remove(f"{code(SIG, b.CONFIDENTIALITY)}[@nodeRepresentation='INVISIBLE_PATIENT']"),
    ),
    metadata("signature entry: no purpose", remove(code(SIG, b.EVENT))),
    metadata(
        "signature entry: formatCode of a document",
        attribute(code(SIG, b.FORMAT), "nodeRepresentation", "urn:ihe:iti:xds-sd:pdf:2008"),
    ),
    metadata(
        "signature entry: local patient id", words(value(SIG, "sourcePatientId"), "IPP-1^^^&1.2.250.1.999.8&ISO^PI")
    ),
    metadata("signature entry: another facility", attribute(code(SIG, b.FACILITY), "nodeRepresentation", "SA08")),
    metadata("signature entry: service time of the act", words(value(SIG, "serviceStartTime"), "20200101000000")),
    metadata(
        "signature entry: another author",
        words(author_slot(SIG, DOC_AUTHOR, "authorPerson"), b.XCN.replace(b.PS, "899700002019")),
    ),
    metadata("no signature in the set", _without_signature),
]


def cross(name: str, change: Callable[[E], Any], expected: str | tuple[str, ...] = REPOSITORY) -> Defect:
    """The document says otherwise than its metadata (the signature covers the changed document)."""
    return Defect(f"cda: {name}", expected, stage("cda", change))


CROSS = [
    cross("another id", attribute("//h:ClinicalDocument/h:id", "root", "2.25.1")),
    cross("another title", words("//h:ClinicalDocument/h:title", "Bilan final")),
    cross("another code", attribute("//h:ClinicalDocument/h:code", "code", "11506-3")),
    cross("another code system", attribute("//h:ClinicalDocument/h:code", "codeSystem", "1.2.250.1.213.1.1.4.12")),
    cross("another instant", attribute("//h:ClinicalDocument/h:effectiveTime", "value", "20200101000000+0100")),
    cross("same digits, no offset", _no_offset),
    cross("another language", attribute("//h:ClinicalDocument/h:languageCode", "code", "fr-BE")),
    cross("restricted", attribute("//h:ClinicalDocument/h:confidentialityCode", "code", "R")),
    cross("another patient", attribute("//h:patientRole/h:id[1]", "extension", "277076322082910")),
    cross("another INS root", attribute("//h:patientRole/h:id[1]", "root", "1.2.250.1.213.1.4.11")),
    cross("another local id", attribute("//h:patientRole/h:id[2]", "extension", "IPP-2")),
    cross("another birth name", words("//h:patient/h:name/h:family", "AUTRE")),
    cross("another birth date", attribute("//h:patient/h:birthTime", "value", "19790329")),
    cross("another sex", attribute("//h:patient/h:administrativeGenderCode", "code", "M")),
    cross("another author", attribute("//h:author//h:assignedAuthor/h:id", "extension", "899700002019")),
    cross("another author name", words("//h:author//h:assignedPerson/h:name/h:family", "AUTRE")),
    cross("another profession", attribute("//h:assignedAuthor/h:code", "code", "G15_60")),
    cross("another structure", attribute("//h:author//h:representedOrganization/h:id", "extension", b.OTHER_STRUCTURE)),
    cross("two authors", repeat("//h:ClinicalDocument/h:author")),
    cross("another legal authenticator", attribute("//h:legalAuthenticator//h:id", "extension", "899700002019")),
    cross("another act start", attribute("//h:serviceEvent/h:effectiveTime/h:low", "value", "20200101000000+0100")),
    cross("no act end", remove("//h:serviceEvent/h:effectiveTime/h:high")),
    cross("another facility", attribute("//h:healthCareFacility/h:code", "code", "SA08")),
    cross("another practice setting", attribute("//h:standardIndustryClassCode", "code", "SAD")),
    cross("replaces something, without the association", _related),
    cross("no body", remove("//h:ClinicalDocument/h:component"), (CONTENT,)),
    cross("no patient", remove("//h:recordTarget"), CONTENT),
    cross("a body that is no PDF", _pdf_body, (CONTENT, REPOSITORY)),
]


def signature(name: str, stage_name: str, change: Callable[[E], Any]) -> Defect:
    return Defect(f"xades: {name}", CONTENT, stage(stage_name, change))


def sign_with(name: str, who: str) -> Defect:
    def change(dmp: Dmp, draft: Draft) -> None:
        draft.vihf_sign = draft.sign
        draft.sign = getattr(dmp.pki, who)

    return Defect(f"xades: {name}", CONTENT, change)


def _signing_time(shift: timedelta) -> Callable[[Dmp, Draft], None]:
    def change(dmp: Dmp, draft: Draft) -> None:
        at = dmp.clock.now() + shift

        def times(root: E) -> None:
            for name in ("creationTime", "serviceStartTime", "serviceStopTime"):
                words(value(SIG, name), b.utc(at))(root)

        draft.edits["manifest"] = words("//x132:SigningTime", b.iso(at))
        draft.edits["metadata"] = times

    return change


REFERENCES = "//ds:Manifest/ds:Reference"
SIGNATURE = [
    signature("SignatureValue changed", "xades", lambda r: _flip(find(r, "//ds:SignatureValue"))),
    signature("a digest of SignedInfo changed", "xades", lambda r: _flip(find(r, "//ds:SignedInfo//ds:DigestValue"))),
    signature("a digest wrong but signed", "signed_info", lambda r: _flip(find(r, "//ds:SignedInfo//ds:DigestValue"))),
    signature(
        "the manifest changed after signing", "xades", lambda r: _flip(find(r, f"{REFERENCES}[2]/ds:DigestValue"))
    ),
    signature(
        "a document digest wrong but signed", "manifest", lambda r: _flip(find(r, f"{REFERENCES}[2]/ds:DigestValue"))
    ),
    signature("first reference is not the set", "manifest", attribute(f"{REFERENCES}[1]", "URI", "urn:oid:2.25.5")),
    signature(
        "first reference has a real digest",
        "manifest",
        words(f"{REFERENCES}[1]/ds:DigestValue", "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="),
    ),
    signature("set reference last", "manifest", lambda r: _swap(find(r, f"{REFERENCES}[1]"))),
    signature("a document missing", "manifest", remove(f"{REFERENCES}[2]")),
    signature("a document too many", "manifest", repeat(f"{REFERENCES}[2]")),
    signature("another document", "manifest", attribute(f"{REFERENCES}[2]", "URI", "urn:oid:2.25.5")),
    signature("no canonicalisation of the XML", "manifest", remove(f"{REFERENCES}[2]/ds:Transforms")),
    signature(
        "an XSLT transform",
        "manifest",
        attribute(
            f"{REFERENCES}[2]/ds:Transforms/ds:Transform", "Algorithm", "http://www.w3.org/TR/1999/REC-xslt-19991116"
        ),
    ),
    signature(
        "digest algorithm of the other profile",
        "manifest",
        attribute(f"{REFERENCES}[2]/ds:DigestMethod", "Algorithm", f"{b.DS}sha1"),
    ),
    signature("the manifest is not signed", "signed_info", remove("//ds:SignedInfo/ds:Reference[1]")),
    signature("the properties are not signed", "signed_info", remove("//ds:SignedInfo/ds:Reference[2]")),
    signature(
        "reference without its type",
        "signed_info",
        lambda r: find(r, "//ds:SignedInfo/ds:Reference").attrib.pop("Type") and None,
    ),
    signature(
        "both references to the properties",
        "signed_info",
        attribute("//ds:SignedInfo/ds:Reference[1]", "URI", "#S0-SignedProperties"),
    ),
    signature("an Id twice", "manifest", attribute("//ds:SignatureProperty", "Id", "IHEManifest")),
    signature("no Id", "xades", lambda r: r.attrib.pop("Id") and None),
    signature(
        "unknown canonicalisation", "signed_info", attribute("//ds:CanonicalizationMethod", "Algorithm", "urn:unknown")
    ),
    signature(
        "RSA-SHA1 in the modern profile",
        "signed_info",
        attribute("//ds:SignatureMethod", "Algorithm", f"{b.DS}rsa-sha1"),
    ),
    signature("no certificate", "xades", remove("//ds:KeyInfo")),
    signature(
        "certificate of somebody else in SigningCertificate",
        "manifest",
        lambda r: _flip(find(r, "//x132:CertDigest/ds:DigestValue")),
    ),
    signature("serial number of another certificate", "manifest", words("//ds:X509SerialNumber", "42")),
    signature("issuer of another authority", "manifest", words("//ds:X509IssuerName", "CN=Autre,C=FR")),
    signature("no SigningCertificate", "manifest", remove("//x132:SigningCertificate")),
    signature("no SigningTime", "manifest", remove("//x132:SigningTime")),
    signature("SigningTime without a zone", "manifest", words("//x132:SigningTime", "2026-11-22T10:00:00")),
    signature("SigningTime is not the entry's", "manifest", words("//x132:SigningTime", "2026-11-22T10:00:00Z")),
    signature("no implied policy", "manifest", remove("//x132:SignaturePolicyIdentifier")),
    signature("no purpose", "manifest", remove("//ds:SignatureProperties")),
    signature("another purpose", "manifest", words("//ds:SignatureProperty", "1.2.840.10065.1.12.1.5")),
    signature(
        "QualifyingProperties of another signature",
        "manifest",
        attribute("//x132:QualifyingProperties", "Target", "#other"),
    ),
    Defect("xades: SigningTime in the future", CONTENT, _signing_time(timedelta(hours=2))),
    Defect("xades: SigningTime a month ago", CONTENT, _signing_time(timedelta(days=-30))),
    sign_with("signed by another structure", "other_sign"),
    sign_with("signed with the authentication certificate", "auth"),
    sign_with("signed by a rogue authority", "rogue_sign"),
    sign_with("signed with an expired certificate", "expired_sign"),
    Defect(
        "xades: document changed after signing",
        CONTENT,
        stage("document", lambda data: data.replace(b"Essai", b"Tuteur")),
    ),
    Defect("xades: not XML", CONTENT, stage("signature", lambda data: b"%PDF-1.4")),
    Defect(
        "xades: a DOCTYPE", CONTENT, stage("signature", lambda data: data.replace(b"?>\n", b"?>\n<!DOCTYPE x>\n", 1))
    ),
    Defect("cda: not XML", CONTENT, stage("document", lambda data: b"Bonjour")),
    Defect(
        "cda: a DOCTYPE with an entity",
        CONTENT,
        stage("document", lambda data: data.replace(b"?>\n", b'?>\n<!DOCTYPE x [<!ENTITY e "e">]>\n', 1)),
    ),
    Defect("cda: empty", CONTENT, stage("document", lambda data: b"")),
]


def vihf(name: str, expected: str, change: Callable[[E], Any], **more: str) -> Defect:
    return Defect(f"vihf: {name}", expected, stage("vihf", change), **more)


def signed_vihf(name: str, expected: str, change: Callable[[E], Any]) -> Defect:
    return Defect(f"vihf: {name}", expected, stage("vihf_signed", change))


def attr(name: str) -> str:
    return f"//saml:Attribute[@Name='{name}']"


def attr_value(name: str) -> str:
    return f"{attr(name)}/saml:AttributeValue"


def vihf_signed_by(name: str, who: str, expected: str = FAILED) -> Defect:
    def change(dmp: Dmp, draft: Draft) -> None:
        draft.vihf_sign = getattr(dmp.pki, who)

    return Defect(f"vihf: {name}", expected, change)


def _second_role(root: E) -> None:
    found = find(root, attr(b.ROLE))
    added = etree.SubElement(found, f"{{{b.SAML}}}AttributeValue")
    added.append(b.coded("Role", "SM26", "1.2.250.1.71.4.2.5", "Qualifié en médecine générale"))


def _empty(root: E) -> None:
    element = find(root, attr_value("LPS_Nom"))
    element.text = None


def _wrap(root: E) -> None:
    """Classic wrapping: the signed assertion moves inside another one that says something else."""
    security = find(root, "//wsse:Security")
    signed = find(root, "//saml:Assertion")
    forged = copy.deepcopy(signed)
    forged.set("ID", "_forged")
    words(attr_value(b.RESOURCE), f"277076322082910^^^&{b.INS_OID}&ISO^NH")(forged)
    security.remove(signed)
    security.append(forged)
    find(forged, "./ds:Signature").append(signed)


def _same_id_in_body(root: E) -> None:
    find(root, "//rim:RegistryObjectList").set("Id", find(root, "//saml:Assertion").get("ID", ""))


VIHF = [
    signed_vihf("an attribute changed after signing", FAILED, words(attr_value("LPS_Nom"), "Autre")),
    signed_vihf("no signature", INVALID, remove("//saml:Assertion/ds:Signature")),
    signed_vihf("signature value changed", FAILED, lambda r: _flip(find(r, "//ds:SignatureValue"))),
    signed_vihf("signature moved to the end", INVALID, lambda r: r.append(find(r, "./ds:Signature"))),
    signed_vihf("reference to nothing", FAILED, attribute("//ds:Reference", "URI", "#_other")),
    signed_vihf("reference to the whole message", FAILED, attribute("//ds:Reference", "URI", "")),
    signed_vihf("no enveloped transform", FAILED, remove("//ds:Transform[1]")),
    signed_vihf("no certificate", TOKEN, remove("//ds:KeyInfo")),
    signed_vihf("certificate that is none", FAILED, words("//ds:X509Certificate", "AAAA")),
    signed_vihf("RSA-MD5", FAILED, attribute("//ds:SignatureMethod", "Algorithm", f"{b.DS}rsa-md5")),
    Defect("vihf: two assertions", INVALID, stage("envelope", repeat("//saml:Assertion"))),
    Defect("vihf: no assertion", INVALID, stage("envelope", remove("//saml:Assertion"))),
    Defect("vihf: no Security header", INVALID, stage("envelope", remove("//wsse:Security"))),
    Defect("vihf: two Security headers", INVALID, stage("envelope", repeat("//wsse:Security"))),
    Defect("vihf: wrapped in a forged assertion", INVALID, stage("envelope", _wrap)),
    Defect("vihf: its ID is used in the body too", FAILED, stage("envelope", _same_id_in_body)),
    vihf_signed_by("signed with the authentication certificate", "auth"),
    vihf_signed_by("signed by a rogue authority", "rogue_sign"),
    vihf_signed_by("signed with an expired certificate", "expired_sign"),
    vihf_signed_by("signed by another structure", "other_sign", TOKEN),
    vihf("issuer is not the certificate's subject", FAILED, words("//saml:Issuer", "CN=Autre,C=FR")),
    vihf("issuer writes S= for ST=", FAILED, lambda r: _s_for_st(find(r, "//saml:Issuer"))),
    vihf("issuer without its format", TOKEN, lambda r: find(r, "//saml:Issuer").attrib.pop("Format") and None),
    vihf(
        "issuer of the wrong format URI",
        TOKEN,
        attribute("//saml:Issuer", "Format", "urn:oasis:names:tc:SAML:1.1:nameidformat:X509SubjectName"),
    ),
    vihf("issued in the future", FAILED, attribute("//saml:Assertion", "IssueInstant", "2099-01-01T00:00:00Z")),
    vihf("issued long ago", FAILED, attribute("//saml:Assertion", "IssueInstant", "2020-01-01T00:00:00Z")),
    vihf("issued without a zone", TOKEN, attribute("//saml:Assertion", "IssueInstant", "2026-11-22T10:00:00")),
    vihf("issued at no time", TOKEN, attribute("//saml:Assertion", "IssueInstant", "hier")),
    vihf("SAML 1.1", TOKEN, attribute("//saml:Assertion", "Version", "1.1")),
    vihf("expired by its conditions", FAILED, attribute("//saml:Conditions", "NotOnOrAfter", "2020-01-01T00:00:00Z")),
    vihf(
        "not valid yet by its conditions", FAILED, attribute("//saml:Conditions", "NotBefore", "2099-01-01T00:00:00Z")
    ),
    vihf("NotAfter, which SAML has not", TOKEN, attribute("//saml:Conditions", "NotAfter", "2099-01-01T00:00:00Z")),
    vihf(
        "an audience restriction",
        TOKEN,
        lambda r: etree.SubElement(find(r, "//saml:Conditions"), f"{{{b.SAML}}}AudienceRestriction") is None,
    ),
    vihf("no AuthnStatement", TOKEN, remove("//saml:AuthnStatement")),
    vihf(
        "context class of the other mode",
        TOKEN,
        words("//saml:AuthnContextClassRef", "urn:oasis:names:tc:SAML:2.0:ac:classes:SmartcardPKI"),
    ),
    vihf("no AttributeStatement", TOKEN, remove("//saml:AttributeStatement")),
    *[
        vihf(f"no {name.rpartition(':')[2]}", TOKEN, remove(attr(name)))
        for name in (
            "VIHF_Version",
            "Authentification_Mode",
            "Identifiant_Structure",
            "Secteur_Activite",
            b.SUBJECT_ID,
            b.ROLE,
            b.RESOURCE,
            "Ressource_URN",
            b.PURPOSE,
            "LPS_Nom",
            "LPS_Version",
            "LPS_ID_HOMOLOGATION_DMP",
        )
    ],
    vihf("an attribute twice", TOKEN, repeat(attr("LPS_Nom"))),
    vihf("an empty attribute", TOKEN, _empty),
    vihf("version 2.0, which is for ROR", TOKEN, words(attr_value("VIHF_Version"), "2.0")),
    vihf("an unknown mode", TOKEN, words(attr_value("Authentification_Mode"), "SEMI_DIRECTE")),
    vihf("an unknown sector", TOKEN, words(attr_value("Secteur_Activite"), "SA99^1.2.250.1.71.4.2.4")),
    vihf("another resource", TOKEN, words(attr_value("Ressource_URN"), "urn:ror")),
    vihf("a role out of G15", TOKEN, attribute(f"{attr_value(b.ROLE)}/h:Role", "code", "99")),
    vihf("a second role for a physiotherapist", TOKEN, _second_role),
    vihf("a physician without speciality", TOKEN, attribute(f"{attr_value(b.ROLE)}/h:Role", "code", "10")),
    vihf(
        "a role that is not a CE",
        TOKEN,
        lambda r: find(r, f"{attr_value(b.ROLE)}/h:Role").attrib.pop(f"{{{b.XSI}}}type") and None,
    ),
    vihf("an unknown purpose of use", TOKEN, attribute(f"{attr_value(b.PURPOSE)}/h:PurposeOfUse", "code", "curiosite")),
    vihf("resource-id that is no CX", TOKEN, words(attr_value(b.RESOURCE), b.INS)),
    vihf("resource-id of type PI", TOKEN, words(attr_value(b.RESOURCE), INS_CX.replace("^NH", "^PI"))),
    vihf(
        "resource-id of another patient",
        FAILED,
        words(attr_value(b.RESOURCE), INS_CX.replace(b.INS, "277076322082910")),
    ),
    vihf(
        "resource-id under another INS OID",
        FAILED,
        words(attr_value(b.RESOURCE), INS_CX.replace(b.INS_OID, "1.2.250.1.213.1.4.11")),
    ),
    vihf(
        "another structure than the certificate's", TOKEN, words(attr_value("Identifiant_Structure"), b.OTHER_STRUCTURE)
    ),
    vihf("NameID without a local id", TOKEN, words("//saml:NameID", b.STRUCTURE)),
    vihf("NameID of another structure", TOKEN, words("//saml:NameID", f"{b.OTHER_STRUCTURE}/poste-1")),
    vihf(
        "direct: NameID of somebody else",
        TOKEN,
        words("//saml:NameID", "899700002019"),
        mode="DIRECTE",
        peer="personal_auth",
    ),
    Defect(
        "vihf: direct, with a structure's certificate",
        TOKEN,
        lambda d, draft: setattr(draft, "vihf_sign", d.pki.sign),
        mode="DIRECTE",
        peer="personal_auth",
    ),
    Defect(
        "vihf: direct, the set is another author's",
        FAILED,
        stage("metadata", words(author_slot(SET, SET_AUTHOR, "authorPerson"), b.XCN.replace(b.PS, "899700002019"))),
        mode="DIRECTE",
        peer="personal_auth",
    ),
    Defect(
        "vihf: indirect, the set is another structure's",
        FAILED,
        stage(
            "metadata",
            words(
                author_slot(SET, SET_AUTHOR, "authorInstitution"),
                f"Autre^^^^^&1.2.250.1.71.4.2.2&ISO^IDNST^^^{b.OTHER_STRUCTURE}",
            ),
        ),
    ),
    Defect("tls: certificate of another structure", AUTHENTICATION, lambda d, draft: None, peer="other_auth"),
    Defect("tls: signature certificate", AUTHENTICATION, lambda d, draft: None, peer="sign"),
]


def _s_for_st(element: E) -> None:
    element.text = (element.text or "").replace("ST=", "S=")


def soap(name: str, expected: str, change: Callable[[E], Any]) -> Defect:
    return Defect(f"soap: {name}", expected, stage("envelope", change))


def mime(name: str, expected: str, change: Callable[[list[Any]], Any]) -> Defect:
    return Defect(f"mtom: {name}", expected, stage("parts", change))


def payload(name: str, expected: str | tuple[str, ...], change: Callable[[E], Any]) -> Defect:
    return Defect(f"body: {name}", expected, stage("payload", change))


def _inline(root: E) -> None:
    document = find(root, "//xds:Document")
    document.remove(document[0])
    document.text = "PENsaW5pY2FsRG9jdW1lbnQvPg=="


def header(number: int, name: str, text: str) -> Callable[[list[Any]], None]:
    return lambda parts: parts[number][0].__setitem__(name, text)


ENVELOPE = [
    Defect(
        "soap: version 1.1",
        "env:VersionMismatch",
        stage(
            "parts",
            lambda parts: parts[0].__setitem__(
                1, parts[0][1].replace(b.ENV.encode(), b"http://schemas.xmlsoap.org/soap/envelope/")
            ),
        ),
    ),
    soap("no Action", "wsa:MessageAddressingHeaderRequired", remove("//wsa:Action")),
    soap("two Actions", "wsa:InvalidAddressingHeader", repeat("//wsa:Action")),
    soap(
        "Action without mustUnderstand",
        "wsa:InvalidAddressingHeader",
        lambda r: find(r, "//wsa:Action").attrib.pop(f"{{{b.ENV}}}mustUnderstand") and None,
    ),
    soap(
        "Action is not the media type's",
        "wsa:ActionMismatch",
        words("//wsa:Action", "urn:ihe:iti:2007:RegistryStoredQuery"),
    ),
    soap("no MessageID", "wsa:MessageAddressingHeaderRequired", remove("//wsa:MessageID")),
    soap("MessageID is no UUID", "wsa:InvalidAddressingHeader", words("//wsa:MessageID", "message-1")),
    soap("no To", "wsa:MessageAddressingHeaderRequired", remove("//wsa:To")),
    soap(
        "ReplyTo an address",
        "wsa:OnlyAnonymousAddressSupported",
        words("//wsa:ReplyTo/wsa:Address", "https://example.test/"),
    ),
    soap(
        "a header that must be understood",
        "env:MustUnderstand",
        lambda r: etree.SubElement(find(r, "//s:Header"), "{urn:x}X", {f"{{{b.ENV}}}mustUnderstand": "true"}) is None,
    ),
    soap("no Header", SENDER, remove("//s:Header")),
    soap("an empty Body", SENDER, remove("//xds:ProvideAndRegisterDocumentSetRequest")),
    soap("two requests", SENDER, repeat("//xds:ProvideAndRegisterDocumentSetRequest")),
    Defect(
        "soap: action that this service has not",
        "wsa:ActionNotSupported",
        lambda d, draft: setattr(draft, "action", "urn:ihe:iti:2007:DeleteDocumentSet"),
    ),
    Defect(
        "soap: action of another service",
        "wsa:ActionNotSupported",
        lambda d, draft: setattr(draft, "service", "registry"),
    ),
    Defect("soap: not XML", SENDER, stage("parts", lambda parts: parts[0].__setitem__(1, b"<a>"))),
    mime("document in base64", SENDER, header(1, "Content-Transfer-Encoding", "base64")),
    mime("root part of another type", SENDER, header(0, "Content-Type", "text/xml")),
    mime("root part without start-info type", SENDER, header(0, "Content-Type", "application/xop+xml")),
    mime("start names no part", SENDER, header(0, "Content-ID", "<other@essai>")),
    mime("part without Content-ID", SENDER, lambda parts: parts[1][0].pop("Content-ID") and None),
    mime("the same Content-ID twice", SENDER, lambda parts: parts.append(parts[1])),
    mime("document part missing", "XDSMissingDocument", lambda parts: parts.pop(1) and None),
    mime(
        "a part that no document names",
        "XDSMissingDocumentMetadata",
        lambda parts: parts.append([{"Content-ID": "<extra@essai>", "Content-Type": "text/plain"}, b"extra"]),
    ),
    Defect(
        "mtom: no start-info",
        SENDER,
        stage("content_type", lambda t: t.replace('start-info="application/soap+xml"; ', "")),
    ),
    Defect(
        "mtom: type is not xop", SENDER, stage("content_type", lambda t: t.replace("application/xop+xml", "text/xml"))
    ),
    Defect("mtom: no boundary", SENDER, stage("content_type", lambda t: t.replace('boundary="frontier"; ', ""))),
    Defect("mtom: another media type", SENDER, stage("content_type", lambda t: "text/xml")),
    Defect("mtom: cut short", SENDER, stage("body", lambda data: data[: len(data) // 2])),
    payload("inline base64", (PACKAGING, "XDSMissingDocumentMetadata"), _inline),
    Defect("body: document without metadata", "XDSMissingDocumentMetadata", _extra_document),
    payload(
        "metadata without document", ("XDSMissingDocument", "XDSMissingDocumentMetadata"), remove("//xds:Document[1]")
    ),
    payload("the same Document twice", PACKAGING, repeat("//xds:Document[1]")),
    payload("no SubmitObjectsRequest", PACKAGING, lambda r: r.remove(r[0])),
    payload(
        "cid that is none",
        ("XDSMissingDocument", "XDSMissingDocumentMetadata"),
        attribute("//xds:Document[1]/*", "href", "https://example.test/document"),
    ),
    payload(
        "two documents on one part",
        (PACKAGING, "XDSMissingDocumentMetadata", CONTENT),
        lambda r: find(r, "//xds:Document[2]/*").set("href", find(r, "//xds:Document[1]/*").get("href", "")),
    ),
]


def _raw(name: str, change: Callable[[bytes], bytes]) -> Defect:
    return Defect(f"mtom: {name}", SENDER, stage("body", change))


def _plain_soap(dmp: Dmp, draft: Draft) -> None:
    """The whole request without MTOM, documents inline."""
    held: list[bytes] = []

    def keep(parts: list[Any]) -> None:
        held.append(parts[0][1])

    def inline(root: E) -> None:
        for document in root.iter(f"{{{b.XDSB}}}Document"):
            document.remove(document[0])
            document.text = "PENsaW5pY2FsRG9jdW1lbnQvPg=="

    draft.edits["payload"] = inline
    draft.edits["parts"] = keep
    draft.edits["body"] = lambda data: held[0]
    draft.edits["content_type"] = lambda text: "application/soap+xml; charset=UTF-8"


def _only_signature(root: E) -> None:
    remove(DOC)(root)
    remove("//rim:Association[@targetObject='Document01']")(root)


def _only_signature_everywhere(dmp: Dmp, draft: Draft) -> None:
    """The only entry left is the signature, and the only part left is its bytes."""
    held: list[bytes] = []
    draft.edits["signature"] = held.append
    draft.edits["metadata"] = _only_signature
    draft.edits["parts"] = lambda parts: parts[1].__setitem__(1, held[0])


def _retype_references(first: str, second: str) -> Callable[[E], None]:
    def change(root: E) -> None:
        for number, uri in ((1, first), (2, second)):
            reference = find(root, f"//ds:SignedInfo/ds:Reference[{number}]")
            covered = find(root, f"//*[@Id='{uri}']")
            reference.set("URI", f"#{uri}")
            find(reference, "./ds:DigestValue").text = b.b64_hash(b.PROFILES["modern"], b.c14n(covered))

    return change


def subject_last(root: E) -> None:
    find(root, "//saml:AttributeStatement").addnext(find(root, "//saml:Subject"))


def one_more(tag: str) -> Callable[[E], None]:
    def act(root: E) -> None:
        etree.SubElement(root, tag)

    return act


def secret(code: str) -> Callable[[E], None]:
    """A minor's secret connection, under this code."""

    def act(root: E) -> None:
        name = "urn:oasis:names:tc:xspa:1.0:resource:patient:hl7:confidentiality-code"
        added = etree.SubElement(find(root, "//saml:AttributeStatement"), f"{{{b.SAML}}}Attribute", Name=name)
        etree.SubElement(added, f"{{{b.SAML}}}AttributeValue").text = code

    return act


MORE = [
    _raw("end in the middle", lambda data: data.replace(b"--frontier\r\n", b"--frontier--\r\n", 1)),
    _raw(
        "part without headers", lambda data: data.replace(b"Content-Type: text/xml", b"\r\nContent-Type: text/xml", 1)
    ),
    _raw("header without a colon", lambda data: data.replace(b"Content-Type: text/xml", b"Content-Type text/xml", 1)),
    _raw(
        "part without an empty line",
        lambda data: data.replace(b"--frontier--", b"--frontier\r\nContent-ID: <x>\r\n--frontier--"),
    ),
    Defect("mtom: not used at all", PACKAGING, _plain_soap),
    Defect("body: something else", PACKAGING, stage("payload", lambda root: etree.Element("{urn:x}Autre"))),
    payload(
        "SubmitObjectsRequest of another namespace",
        PACKAGING,
        lambda r: setattr(r[0], "tag", "{urn:oasis:names:tc:ebxml-regrep:xsd:lcm:2.1}SubmitObjectsRequest"),
    ),
    payload("two RegistryObjectLists", PACKAGING, repeat("//rim:RegistryObjectList")),
    metadata(
        "set: marked under another id",
        attribute("//rim:Classification[@classificationNode]", "classifiedObject", "SubmissionSet99"),
    ),
    metadata("set: author's id cannot be read", words(author_slot(SET, SET_AUTHOR, "authorPerson"), "TESTOU")),
    metadata("set: patientId cannot be read", attribute(identifier(SET, SET_PATIENT), "value", b.INS)),
    metadata(
        "set: patientId of a local kind",
        local_patient,
    ),
    metadata(
        "entry: matricule too short",
        attribute(identifier(DOC, DOC_PATIENT), "value", f"27903512151898^^^&{b.INS_OID}&ISO^NH"),
        (REGISTRY, REPOSITORY, "XDSPatientIdDoesNotMatch"),
    ),
    metadata("entry: sourcePatientId is no CX", words(value(DOC, "sourcePatientId"), "IPP-1"), (REGISTRY, REPOSITORY)),
    metadata(
        "entry: sourcePatientId of a third kind",
        words(value(DOC, "sourcePatientId"), "IPP-1^^^&1.2.250.1.999.8&ISO^VN"),
    ),
    metadata(
        "entry: author without a given name",
        words(author_slot(DOC, DOC_AUTHOR, "authorPerson"), b.XCN.replace("Gwenaël", "")),
        (REGISTRY, REPOSITORY),
    ),
    metadata(
        "entry: structure under another OID",
        words(
            author_slot(DOC, DOC_AUTHOR, "authorInstitution"),
            f"Cabinet FICTIF^^^^^&1.2.250.1.71.4.2.9&ISO^IDNST^^^{b.STRUCTURE}",
        ),
        (REGISTRY, REPOSITORY),
    ),
    metadata(
        "entry: the mask comes before the base code",
        lambda r: find(r, code(DOC, b.CONFIDENTIALITY)).addprevious(
            b.classify(find(r, DOC), b.CONFIDENTIALITY, "MASQUE_PS", b.MASKS, "Masqué")
        ),
        (REGISTRY, REPOSITORY),
    ),
    metadata(
        "entry: authorRole of nobody",
        lambda r: (
            None
            if b.slot(
                find(r, code(DOC, DOC_AUTHOR)), "authorInstitution", "Autre^^^^^&1.2.250.1.71.4.2.2&ISO^IDNST^^^1"
            )
            is None
            else find(r, code(DOC, DOC_AUTHOR)).remove(find(r, f"{code(DOC, DOC_AUTHOR)}/rim:Slot[1]"))
        ),
        REPOSITORY,
    ),
    metadata("signature entry: legalAuthenticator cannot be read", words(value(SIG, "legalAuthenticator"), "X")),
    metadata("signature entry: sourcePatientId cannot be read", words(value(SIG, "sourcePatientId"), "X")),
    Defect("set: nothing but the signature", (REGISTRY, CONTENT), _only_signature_everywhere),
    Defect("cda: another root", CONTENT, stage("cda", lambda root: etree.Element("{urn:hl7-org:v3}Autre"))),
    Defect(
        "cda: a PDF body that is no base64",
        CONTENT,
        stage(
            "cda",
            lambda root: setattr(
                etree.SubElement(
                    etree.SubElement(find(root, "//h:component"), f"{{{b.HL7}}}nonXMLBody"), f"{{{b.HL7}}}text"
                ),
                "text",
                "*pas du base64*",
            ),
        ),
    ),
    cross("no facility", remove("//h:healthCareFacility/h:code")),
    cross("no legal authenticator", remove("//h:legalAuthenticator/h:assignedEntity")),
    signature(
        "Manifest reference covers the properties' object",
        "signed_info",
        _retype_references("purposeOfSignature", "S0-SignedProperties"),
    ),
    signature(
        "properties reference covers the manifest",
        "signed_info",
        _retype_references("IHEManifest", "purposeOfSignature"),
    ),
    signature("reference to nothing", "signed_info", attribute("//ds:SignedInfo/ds:Reference[1]", "URI", "#rien")),
    signature(
        "reference to the whole document", "signed_info", attribute("//ds:SignedInfo/ds:Reference[1]", "URI", "")
    ),
    signature("digest value that is no base64", "signed_info", words("//ds:SignedInfo//ds:DigestValue", "é")),
    signature("no SignedSignatureProperties", "manifest", remove("//x132:SignedSignatureProperties")),
    signature(
        "certificate digest by SHA-1",
        "manifest",
        attribute("//x132:CertDigest/ds:DigestMethod", "Algorithm", f"{b.DS}sha1"),
    ),
    signature("SigningTime that is no time", "manifest", words("//x132:SigningTime", "hier")),
    signature(
        "an unknown version of XAdES",
        "xades",
        lambda r: setattr(
            find(r, "//x132:QualifyingProperties"), "tag", "{http://uri.etsi.org/01903/v1.4.1#}QualifyingProperties"
        ),
    ),
    signed_vihf(
        "something else in place of Issuer",
        TOKEN,
        lambda r: setattr(find(r, "./saml:Issuer"), "tag", f"{{{b.SAML}}}Advice"),
    ),
    vihf("Conditions twice", TOKEN, repeat("//saml:Conditions")),
    vihf("Subject after Conditions", TOKEN, subject_last),
    vihf("no Subject", TOKEN, remove("//saml:Subject")),
    vihf("two Subjects", TOKEN, repeat("//saml:Subject")),
    vihf("Advice", TOKEN, one_more(f"{{{b.SAML}}}Advice")),
    vihf("an element of another schema", TOKEN, one_more("{urn:x}Extra")),
    vihf(
        "AuthnInstant in the future", FAILED, attribute("//saml:AuthnStatement", "AuthnInstant", "2999-01-01T00:00:00Z")
    ),
    vihf("AuthnInstant that is no date", TOKEN, attribute("//saml:AuthnStatement", "AuthnInstant", "hier")),
    vihf("secret connection by the short code", TOKEN, secret("INVISIBLE_REP_LEGAUX")),
    vihf("secret connection without its code", TOKEN, secret("")),
    vihf("a second value of the software's name", TOKEN, repeat(attr_value("LPS_Nom"))),
    vihf(
        "a role without display name",
        TOKEN,
        lambda r: find(r, f"{attr_value(b.ROLE)}/h:Role").attrib.pop("displayName") and None,
    ),
    vihf(
        "direct: another structure than the certificate's",
        TOKEN,
        words(attr_value("Identifiant_Structure"), b.OTHER_STRUCTURE),
        mode="DIRECTE",
        peer="personal_auth",
    ),
    Defect(
        "vihf: direct, the author is of another structure",
        FAILED,
        stage(
            "metadata",
            words(
                author_slot(SET, SET_AUTHOR, "authorInstitution"),
                f"Autre^^^^^&1.2.250.1.71.4.2.2&ISO^IDNST^^^{b.OTHER_STRUCTURE}",
            ),
        ),
        mode="DIRECTE",
        peer="personal_auth",
    ),
    Defect(
        "tls: direct, another person of the same structure",
        AUTHENTICATION,
        lambda d, draft: None,
        mode="DIRECTE",
        peer="colleague_auth",
    ),
]

DEFECTS = [*METADATA, *CROSS, *SIGNATURE, *VIHF, *ENVELOPE, *MORE]
