"""Certificates and keys: there, private, in their time, made for each other and for what they are used for."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from gateway import platform
from gateway.errors import GatewayError
from gateway.findings import Finding, error, warning
from gateway.settings import AccountSettings, Settings, TlsSettings

if TYPE_CHECKING:
    from gateway.package import certificates

EXPIRY_WARNING = timedelta(days=30)


def inspect(account: AccountSettings) -> Iterator[Finding]:
    """Every certificate and key that an account names."""
    base = f"/account/{account.id}"
    for name, way in (("smtp", account.smtp), ("imap", account.imap), ("dmp", account.dmp), ("insi", account.insi)):
        if way is not None:
            yield from tls(f"{base}/{name}/tls", way.tls)
    if account.imap is not None and account.imap.password_file is not None:
        yield from key(f"{base}/imap/password_file", account.imap.password_file)
    if account.dmp is not None:
        dmp = account.dmp
        yield from _own(f"{base}/dmp", "sign_", dmp.sign_cert_file, dmp.sign_pkcs12_file, dmp.sign_pkcs12_password_file)
        if dmp.sign_key_file is not None:
            yield from key(f"{base}/dmp/sign_key_file", dmp.sign_key_file)
            yield from _pair(f"{base}/dmp/sign_key_file", dmp.sign_cert_file, dmp.sign_key_file)


def tls(place: str, tls: TlsSettings) -> Iterator[Finding]:
    """What one way out needs: the authority of the other side, our certificate, its key."""
    yield from authority(f"{place}/ca_file", tls.ca_file)
    yield from _own(place, "", tls.cert_file, tls.pkcs12_file, tls.pkcs12_password_file)
    if tls.key_file is not None:
        yield from key(f"{place}/key_file", tls.key_file)
        yield from _pair(f"{place}/key_file", tls.cert_file, tls.key_file)


def _own(place: str, prefix: str, cert: Path | None, archive: Path | None, password: Path | None) -> Iterator[Finding]:
    """Our own certificate, PEM or PKCS#12: there, opened by its password, valid, and of the right use."""
    from gateway.package import certificates

    path = f"{place}/{prefix}{'cert_file' if archive is None else 'pkcs12_file'}"
    if password is not None:
        yield from key(f"{place}/{prefix}pkcs12_password_file", password)
    try:
        found = certificates.own(cert, archive, password)
        held = None if found is None else certificates.describe(found)
    except GatewayError as fault:
        yield error(fault.code, path, fault.message, fault.advice)
        return
    except (OSError, ValueError):
        yield error("CFG-105", path, "Certificat absent ou illisible (PEM attendu).", f"Vérifier le fichier {cert}.")
        return
    if held is None:
        return
    yield from _validity(path, held.begins, held.ends)
    if prefix and held.usages and "signature" not in held.usages:
        message = f"Ce certificat n'est pas fait pour signer (usage : {', '.join(held.usages)})."
        yield warning("CFG-142", path, message, "Demander un certificat de signature (offre ORG, SIGN ou cachet).")
    if not prefix and not held.authenticates:
        message = f"Ce certificat n'est pas fait pour s'authentifier (usage : {', '.join(held.usages)})."
        yield warning("CFG-113", path, message, "Demander un certificat d'authentification (offre ORG, AUTH_CLI).")


def held_certificates(settings: Settings) -> list[tuple[str, str, certificates.Held]]:
    """Account, purpose and description of every certificate of ours that can be read; faults are findings, not here."""
    from gateway.package import certificates

    found = []
    for account in settings.account:
        for purpose, files in _purposes(account):
            with suppress(GatewayError, OSError, ValueError):
                certificate = certificates.own(*files)
                if certificate is not None:
                    found.append((account.id, purpose, certificates.describe(certificate)))
    return found


_Files = tuple[Path | None, Path | None, Path | None]


def _purposes(account: AccountSettings) -> Iterator[tuple[str, _Files]]:
    for purpose, way in (("MSSanté, envoi", account.smtp), ("MSSanté, lecture", account.imap), ("DMP", account.dmp)):
        if way is not None:
            yield purpose, (way.tls.cert_file, way.tls.pkcs12_file, way.tls.pkcs12_password_file)
    dmp = account.dmp
    if dmp is not None:
        yield "DMP, signature", (dmp.sign_cert_file, dmp.sign_pkcs12_file, dmp.sign_pkcs12_password_file)


def key(place: str, path: Path) -> Iterator[Finding]:
    """A file that holds a secret: there, and ours alone."""
    if not path.exists():
        yield error("CFG-105", place, "Fichier absent.", f"Vérifier le chemin {path}.")
    elif platform.is_private(path) is False:
        yield error("CFG-102", place, "D'autres utilisateurs peuvent lire cette clé.", f"chmod 600 {path}")


def authority(place: str, path: Path) -> Iterator[Finding]:
    """Certificates of others that ours are compared with: readable, and in their time."""
    from cryptography import x509

    try:
        certificates = x509.load_pem_x509_certificates(path.read_bytes())
    except (OSError, ValueError):
        yield error("CFG-105", place, "Certificat absent ou illisible (PEM attendu).", f"Vérifier le fichier {path}.")
        return
    begins, ends = (max(c.not_valid_before_utc for c in certificates), min(c.not_valid_after_utc for c in certificates))
    yield from _validity(place, begins, ends)


def served(place: str, cert: Path, key_file: Path) -> Iterator[Finding]:
    """The certificate under which something of ours is served, and its key."""
    yield from authority(f"{place}/cert_file", cert)
    yield from key(f"{place}/key_file", key_file)
    yield from _pair(f"{place}/key_file", cert, key_file)


def _validity(place: str, begin: datetime, end: datetime) -> Iterator[Finding]:
    now = datetime.now(UTC)
    if begin > now:
        message = f"Certificat valable à partir du {begin:%d/%m/%Y} seulement."
        yield error("CFG-140", place, message, "Vérifier la date de ce poste, sinon attendre ce jour.")
    if end < now:
        yield error("CFG-107", place, f"Certificat expiré le {end:%d/%m/%Y}.", "Le renouveler : plus rien ne part.")
    elif end - now < EXPIRY_WARNING:
        yield warning("CFG-107", place, f"Certificat valable jusqu'au {end:%d/%m/%Y}.", "Le renouveler dès maintenant.")


def _pair(place: str, cert: Path | None, key_file: Path | None) -> Iterator[Finding]:
    """Whether a key is the certificate's own; what cannot be read has a finding already."""
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key

    if cert is None or key_file is None:
        return
    from cryptography import x509

    try:
        public = x509.load_pem_x509_certificates(cert.read_bytes())[0].public_key()
        own = load_pem_private_key(key_file.read_bytes(), None).public_key()
    except OSError:
        return
    except (ValueError, TypeError):
        yield error("CFG-105", place, "Clé illisible (PEM sans mot de passe attendu).", f"Vérifier {key_file}.")
        return
    form = Encoding.DER, PublicFormat.SubjectPublicKeyInfo
    if own.public_bytes(*form) != public.public_bytes(*form):
        message = "Cette clé n'est pas celle du certificat."
        yield error("CFG-141", place, message, "Remettre la clé reçue avec ce certificat, ou les deux ensemble.")
