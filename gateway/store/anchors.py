"""Time stamps of a third party on checkpoints (RFC 3161): they bind even the holder of the signing key.

A stamp proves that its checkpoint existed at its time. Whoever trusts the authority's roots knows from then on which
records stood below that checkpoint.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from cryptography import x509


class AnchorError(ValueError):
    """This is no time stamp of these bytes by an authority that the verifier trusts."""


@dataclass(frozen=True, slots=True)
class Anchor:
    """A verified stamp: how many records of a shard the stamped checkpoint counts, when it was stamped and by whom."""

    size: int
    at: datetime
    authority: str
    shard: int = 0

    def as_dict(self) -> dict[str, object]:
        """JSON-ready."""
        of = {"shard": self.shard} if self.shard else {}
        return {"size": self.size, "at": self.at.isoformat(), "authority": self.authority, **of}


def load_roots(path: Path) -> list[x509.Certificate]:
    """The trusted roots of a PEM file. Raises OSError, ValueError."""
    return x509.load_pem_x509_certificates(path.read_bytes())


def verify(token: bytes, note: bytes, roots: list[x509.Certificate]) -> tuple[datetime, str]:
    """When and by whom `note` was stamped. Raises AnchorError.

    Signature, chain to a root, the certificate's purpose and the digest (SHA-256 or SHA-512) are checked; the chain is
    judged at the time of the stamp, so that a stamp outlives its authority's certificate.
    """
    from rfc3161_client import VerificationError, VerifierBuilder, decode_timestamp_response

    builder = VerifierBuilder()
    for certificate in roots:
        builder = builder.add_root_certificate(certificate)
    try:
        response = decode_timestamp_response(token)
        builder.build().verify_message(response, note)
        info = response.tst_info
        return info.gen_time, _authority(response.signed_data.certificates)
    except (VerificationError, ValueError) as fault:
        raise AnchorError(str(fault)) from fault


def _authority(certificates: set[bytes]) -> str:
    """Common name of the stamping certificate: the one that issued none of the others."""
    found = [x509.load_der_x509_certificate(data) for data in certificates]
    issuers = {one.issuer for one in found if one.issuer != one.subject}
    leaf = next((one for one in found if one.subject not in issuers), None)
    names = [] if leaf is None else leaf.subject.get_attributes_for_oid(x509.NameOID.COMMON_NAME)
    return str(names[0].value) if names else "?"
