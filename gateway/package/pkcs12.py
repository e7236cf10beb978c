"""A PKCS#12 file, as IGC Santé hands out software certificates: certificate, chain and key, opened in memory only."""

from __future__ import annotations

import contextlib
import warnings
from dataclasses import dataclass, field
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes

from gateway.errors import ConfigError

MAX_FILE = 1_000_000
"""Bytes: a key with its chain is a few thousand."""
MIN_RSA_BITS, MIN_CURVE_BITS = 2048, 256
"""Weakest keys accepted (RGS, annexe B1)."""

PrivateKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey


@dataclass(frozen=True, slots=True)
class Identity:
    """A key and its certificate, first in `chain`, its authorities after it. The key is never shown by `repr`."""

    chain: tuple[x509.Certificate, ...]
    key: PrivateKey = field(repr=False)

    @property
    def certificate(self) -> x509.Certificate:
        """The holder's own certificate."""
        return self.chain[0]

    def pem(self, password: bytes) -> bytes:
        """Chain and key in PEM, the key encrypted by `password`: never in clear."""
        encryption = serialization.BestAvailableEncryption(password)
        key = self.key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, encryption)
        return key + b"".join(c.public_bytes(serialization.Encoding.PEM) for c in self.chain)


def load(file: Path, password_file: Path) -> Identity:
    """Open a PKCS#12 file with the password that stands, alone, in `password_file`.

    Raises ConfigError: `TLS-005` a file is missing or unreadable, `TLS-006` wrong password or damaged file,
    `TLS-007` no key, or no certificate of that key, `TLS-008` key too weak.
    """
    data, password = _read(file, "pkcs12_file"), _password(_read(password_file, "pkcs12_password_file"))
    key, own, others = _opened(data, password, file)
    if own is None or not isinstance(key, (rsa.RSAPrivateKey, ec.EllipticCurvePrivateKey)):
        message = f"{file.name} ne contient pas une clé (RSA ou EC) avec son certificat."
        raise ConfigError("TLS-007", message, "Exporter à nouveau le certificat avec sa clé privée.")
    check_strength(own, file)
    return Identity((own, *_authorities(own, others)), key)


def check_strength(certificate: x509.Certificate, file: Path) -> None:
    """Raise ConfigError (`TLS-008`) when the certificate's key is too short to be trusted."""
    key = certificate.public_key()
    weak = isinstance(key, rsa.RSAPublicKey) and key.key_size < MIN_RSA_BITS
    if weak or (isinstance(key, ec.EllipticCurvePublicKey) and key.key_size < MIN_CURVE_BITS):
        message = f"La clé de {file.name} est trop courte pour protéger des données de santé."
        advice = f"Demander un certificat RSA d'au moins {MIN_RSA_BITS} bits ou EC d'au moins {MIN_CURVE_BITS} bits."
        raise ConfigError("TLS-008", message, advice)


def _read(file: Path, name: str) -> bytes:
    try:
        with file.open("rb") as stream:
            return stream.read(MAX_FILE)
    except OSError as fault:
        raise ConfigError("TLS-005", f"Fichier illisible : {file}.", f"Vérifier {name} : chemin et droits.") from fault


def _password(data: bytes) -> bytes:
    """The first line: an editor ends it with a newline, sometimes a Windows one."""
    return data.partition(b"\n")[0].rstrip(b"\r")


_Opened = tuple[PrivateKeyTypes | None, x509.Certificate | None, list[x509.Certificate]]


def _opened(data: bytes, password: bytes, file: Path) -> _Opened:
    from cryptography.hazmat.primitives.serialization import pkcs12

    # No password at all and an empty one are two things in a PKCS#12 file, and one to people.
    for attempt in (password,) if password else (None, b""):
        with contextlib.suppress(ValueError), warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # BER, as some key stores write it: read all the same
            return pkcs12.load_key_and_certificates(data, attempt)
    message = f"{file.name} ne s'ouvre pas : mot de passe inexact, ou fichier abîmé."
    raise ConfigError("TLS-006", message, "Vérifier le mot de passe, seul sur sa ligne dans pkcs12_password_file.")


def _authorities(own: x509.Certificate, others: list[x509.Certificate]) -> list[x509.Certificate]:
    """The chain upwards from `own`, in order, without the root: files keep certificates in any order."""
    found, current = [], own
    by_subject = {c.subject.public_bytes(): c for c in others if c.subject != c.issuer}
    while (issuer := by_subject.pop(current.issuer.public_bytes(), None)) is not None:
        found.append(issuer)
        current = issuer
    return found
