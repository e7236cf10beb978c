"""The key and certificate chain that sign for one account, loaded from PEM files or PKCS#12."""

from __future__ import annotations

import base64
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes

from gateway.errors import ConfigError
from gateway.package import pkcs12
from gateway.settings import DmpSettings

MIN_BITS = 2048
"""Smallest RSA key accepted, in bits (RGS, annexe B1)."""


@dataclass(frozen=True, slots=True)
class SigningKeys:
    """An RSA key with its certificate first in `chain`. The key is never shown by `repr`."""

    chain: tuple[x509.Certificate, ...]
    private_key: rsa.RSAPrivateKey = field(repr=False)

    @property
    def certificate(self) -> x509.Certificate:
        """The signer's own certificate."""
        return self.chain[0]

    @property
    def subject(self) -> str:
        """Subject of the certificate as RFC 2253 writes it: the VIHF's Issuer."""
        return _subject(self.certificate)

    @property
    def base64_der(self) -> str:
        """The signer's certificate as XML signatures carry it."""
        return _base64_der(self.certificate)

    def valid_at(self, moment: datetime) -> bool:
        """Whether the signer's certificate covers this instant."""
        return self.certificate.not_valid_before_utc <= moment <= self.certificate.not_valid_after_utc

    def sign(self, data: bytes, algorithm: hashes.HashAlgorithm) -> bytes:
        """RSA PKCS#1 v1.5 signature, the only one that XML signature profiles of the DMP know."""
        return self.private_key.sign(data, padding.PKCS1v15(), algorithm)


@lru_cache(maxsize=32)
def _subject(certificate: x509.Certificate) -> str:
    return certificate.subject.rfc4514_string()


@lru_cache(maxsize=32)
def _base64_der(certificate: x509.Certificate) -> str:
    return base64.b64encode(certificate.public_bytes(serialization.Encoding.DER)).decode()


def signing_keys(settings: DmpSettings) -> SigningKeys:
    """The keys of an account, from PEM or PKCS#12. Raises ConfigError like `load_signing_keys` and `pkcs12.load`."""
    if settings.sign_pkcs12_file is not None and settings.sign_pkcs12_password_file is not None:
        identity = pkcs12.load(settings.sign_pkcs12_file, settings.sign_pkcs12_password_file)
        return _checked(identity.chain, identity.key)
    assert settings.sign_cert_file is not None  # the settings see to it
    assert settings.sign_key_file is not None
    return load_signing_keys(settings.sign_cert_file, settings.sign_key_file)


def load_signing_keys(cert_file: Path, key_file: Path) -> SigningKeys:
    """Read a PEM certificate (its chain may follow) and its unencrypted PEM key.

    Raises ConfigError: `SIG-001` unreadable, `SIG-002` not RSA or too short, `SIG-003` key and certificate do not
    match, `SIG-004` the certificate may not sign (key usage).
    """
    try:
        chain = x509.load_pem_x509_certificates(cert_file.read_bytes())
        key = serialization.load_pem_private_key(key_file.read_bytes(), password=None)
    except (OSError, ValueError, TypeError) as fault:
        raise ConfigError(
            "SIG-001",
            f"Certificat ou clé de signature illisible ({cert_file.name}, {key_file.name}).",
            "Vérifiez les chemins sign_cert_file et sign_key_file : PEM, clé sans mot de passe, droits de lecture.",
        ) from fault
    return _checked(tuple(chain), key)


def _checked(chain: tuple[x509.Certificate, ...], key: PrivateKeyTypes) -> SigningKeys:
    if not isinstance(key, rsa.RSAPrivateKey) or key.key_size < MIN_BITS:
        raise ConfigError("SIG-002", f"La clé de signature doit être une clé RSA d'au moins {MIN_BITS} bits.")
    if key.public_key() != chain[0].public_key():
        raise ConfigError(
            "SIG-003",
            "La clé de signature ne correspond pas au certificat.",
            "Le premier certificat du fichier doit être celui de la clé ; les autorités suivent.",
        )
    _check_usage(chain[0])
    return SigningKeys(chain, key)


def _check_usage(certificate: x509.Certificate) -> None:
    try:
        usage = certificate.extensions.get_extension_for_class(x509.KeyUsage).value
    except x509.ExtensionNotFound:
        return
    if not (usage.digital_signature or usage.content_commitment):
        raise ConfigError(
            "SIG-004",
            "Ce certificat n'est pas un certificat de signature.",
            "Le DMP refuse un certificat d'authentification : demandez un certificat ORG de signature.",
        )
