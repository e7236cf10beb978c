"""Reading X.509 certificates as the DMP does: who holds it, what it may be used for, who issued it."""

from __future__ import annotations

import re
from datetime import datetime

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

_PERSON = re.compile(r"[08]\d{9,11}")


class CertificateError(ValueError):
    """The certificate cannot be trusted for this use; the message is French."""


def structure_of(certificate: x509.Certificate) -> str:
    """Struct_IdNat carried in OU, empty when there is none."""
    return _first(certificate, NameOID.ORGANIZATIONAL_UNIT_NAME)


def person_of(certificate: x509.Certificate) -> str:
    """PS_IdNat carried in CN by a personal certificate, empty for a structure's."""
    name = _first(certificate, NameOID.COMMON_NAME)
    return name if _PERSON.fullmatch(name) else ""


def mailboxes_of(certificate: x509.Certificate) -> tuple[str, ...]:
    """Mailboxes (rfc822Name) that the certificate may use, in lower case."""
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return ()
    return tuple(name.lower() for name in names.get_values_for_type(x509.RFC822Name))


def _first(certificate: x509.Certificate, oid: x509.ObjectIdentifier) -> str:
    found = certificate.subject.get_attributes_for_oid(oid)
    return str(found[0].value) if found else ""


def is_signature_certificate(certificate: x509.Certificate) -> bool:
    """Whether the key usage says contentCommitment (nonRepudiation), as ORG_SIGN and CPS signature keys do."""
    usage = _usage(certificate)
    return usage is not None and usage.content_commitment


def is_client_certificate(certificate: x509.Certificate) -> bool:
    """Whether it is an authentication certificate (ORG_AUTH_CLI): clientAuth and no signature use."""
    try:
        extended = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    except x509.ExtensionNotFound:
        return False
    return ExtendedKeyUsageOID.CLIENT_AUTH in extended and not is_signature_certificate(certificate)


def _usage(certificate: x509.Certificate) -> x509.KeyUsage | None:
    try:
        return certificate.extensions.get_extension_for_class(x509.KeyUsage).value
    except x509.ExtensionNotFound:
        return None


def check_chain(certificate: x509.Certificate, authority: x509.Certificate, at: datetime) -> None:
    """Raise CertificateError unless the sandbox CA issued it and it is valid at this moment."""
    try:
        certificate.verify_directly_issued_by(authority)
    except (ValueError, TypeError, InvalidSignature) as fault:
        raise CertificateError("certificat non émis par l'AC du bac à sable") from fault
    if not certificate.not_valid_before_utc <= at <= certificate.not_valid_after_utc:
        raise CertificateError("certificat hors de sa période de validité")


def check_signer(certificate: x509.Certificate, authority: x509.Certificate, at: datetime) -> None:
    """Raise CertificateError unless this is a trusted signature certificate at this moment."""
    check_chain(certificate, authority, at)
    if not is_signature_certificate(certificate):
        raise CertificateError("Not a valid signature certificate (usage contentCommitment attendu)")


def load_der(data: bytes) -> x509.Certificate:
    """Read a DER certificate; raises CertificateError."""
    try:
        return x509.load_der_x509_certificate(data)
    except ValueError as fault:
        raise CertificateError("certificat X.509 illisible") from fault


def same_name(text: str, name: x509.Name) -> bool:
    """Whether an RFC 2253 string names this subject: same RDNs in the same order, `ST=` and never `S=`."""
    try:
        written = x509.Name.from_rfc4514_string(text)
    except (ValueError, KeyError):
        return False
    return _pairs(written) == _pairs(name)


def _pairs(name: x509.Name) -> list[frozenset[tuple[str, str]]]:
    """Object ids and values only: the ASN.1 string type does not show in a text."""
    return [frozenset((item.oid.dotted_string, str(item.value)) for item in rdn) for rdn in name.rdns]
