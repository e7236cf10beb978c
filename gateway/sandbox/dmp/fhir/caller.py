"""Who calls by the FHIR door: what the TLS certificate says, since the drafts fix no other proof (spec dmp §4)."""

from __future__ import annotations

from dataclasses import dataclass

from cryptography import x509

from gateway.sandbox.certificates import is_client_certificate, person_of, structure_of
from gateway.sandbox.dmp.fhir.issues import refuse


@dataclass(frozen=True, slots=True)
class Caller:
    """A personal certificate is direct authentication, a structure's indirect (the rights of spec dmp §1.5)."""

    direct: bool
    name_id: str
    structure: str


def caller_of(peer: x509.Certificate) -> Caller:
    """The holder of a certificate. Raises RefusedError (403) when it is no authentication certificate."""
    if not is_client_certificate(peer):
        raise refuse(403, "security", "", "Certificat TLS : certificat d'authentification attendu")
    person = person_of(peer)
    return Caller(bool(person), person, structure_of(peer))
