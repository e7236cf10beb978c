"""TLS for every service that is not public: TLS 1.2 at least, the configured anchor alone, mutual where it is asked.

Rules of spec mssante §4.
"""

from __future__ import annotations

import secrets
import ssl
import tempfile
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

from cryptography import x509

from gateway.channels.outcome import Verdict
from gateway.errors import ConfigError
from gateway.package import pkcs12
from gateway.settings import TlsSettings

CIPHERS = "ECDHE+AESGCM:ECDHE+CHACHA20"
"""TLS 1.2 suites: forward secrecy and authenticated encryption only (ECO.1.1.3, PDT-INF-579). TLS 1.3 has its own."""


def client_context(settings: TlsSettings, *, now: datetime | None = None) -> ssl.SSLContext:
    """A client context. System authorities are never trusted: the anchor is IGC Santé, or the sandbox's CA.

    With a CRL file, the server's whole chain is checked against it, so it must hold a list of each authority.
    With `now`, our own certificate's dates are checked: a server only says that it refuses, not why.

    Raises ConfigError: `TLS-001` unreadable anchor, `TLS-002` unreadable client certificate or key, `TLS-003`
    unreadable CRL, `TLS-004` our certificate has expired or is not valid yet, and those of `pkcs12.load`.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # checks chain and host name
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers(CIPHERS)
    try:
        context.load_verify_locations(cafile=str(settings.ca_file))
    except (OSError, ValueError) as fault:
        raise _unreadable("TLS-001", "L'autorité de certification du serveur", str(settings.ca_file)) from fault
    own = _show_certificate(context, settings)
    if own is not None and now is not None:
        _check_dates(own, now)
    if settings.crl_file is not None:
        try:
            context.load_verify_locations(cafile=str(settings.crl_file))
        except (OSError, ValueError) as fault:
            raise _unreadable("TLS-003", "La liste de révocation", str(settings.crl_file)) from fault
        context.verify_flags |= ssl.VERIFY_CRL_CHECK_CHAIN
    return context


def _show_certificate(context: ssl.SSLContext, settings: TlsSettings) -> x509.Certificate | None:
    if settings.pkcs12_file is not None and settings.pkcs12_password_file is not None:
        identity = pkcs12.load(settings.pkcs12_file, settings.pkcs12_password_file)
        _load_identity(context, identity)
        return identity.certificate
    if settings.cert_file is None:
        return None
    try:
        context.load_cert_chain(settings.cert_file, settings.key_file, password=_no_password)
        own = x509.load_pem_x509_certificates(settings.cert_file.read_bytes())[0]
    except (OSError, ValueError) as fault:
        raise _unreadable("TLS-002", "Le certificat client ou sa clé", str(settings.cert_file)) from fault
    pkcs12.check_strength(own, settings.cert_file)
    return own


def _load_identity(context: ssl.SSLContext, identity: pkcs12.Identity) -> None:
    """Give OpenSSL a key that lies in memory. Python's ssl reads files only, so it gets one for an instant, in a
    folder of ours alone, and encrypted by a password that was never written down: even a copy of the disk taken at
    that instant holds no key.
    """
    password = secrets.token_hex(32)
    with tempfile.TemporaryDirectory(prefix="kine-") as folder:  # readable by its owner only
        path = Path(folder) / "identity.pem"
        path.write_bytes(identity.pem(password.encode()))
        context.load_cert_chain(path, password=password)


def _check_dates(own: x509.Certificate, now: datetime) -> None:
    if own.not_valid_before_utc <= now <= own.not_valid_after_utc:
        return
    late = now > own.not_valid_after_utc
    message = (
        f"Le certificat client a expiré le {own.not_valid_after_utc:%d/%m/%Y}."
        if late
        else f"Le certificat client n'est valable qu'à partir du {own.not_valid_before_utc:%d/%m/%Y}."
    )
    raise ConfigError("TLS-004", message, "Le renouveler." if late else "Vérifier la date de la machine.")


def _no_password() -> str:
    # Without this OpenSSL would ask on the terminal, and a service has none.
    raise ValueError("encrypted keys are not supported")


def _unreadable(code: str, what: str, path: str) -> ConfigError:
    return ConfigError(code, f"{what} est illisible : {path}.", "Vérifiez le chemin, les droits et le format PEM.")


def causes(fault: BaseException) -> Iterator[BaseException]:
    """The exception and everything behind it, nearest first."""
    seen: set[int] = set()
    current: BaseException | None = fault
    while current is not None and id(current) not in seen:
        yield current
        seen.add(id(current))
        current = current.__cause__ or current.__context__


def tls_fault(fault: BaseException) -> tuple[Verdict, str] | None:
    """Verdict and reason suffix of the TLS failure behind an exception; None when there is none.

    A certificate problem, ours or theirs, is never a network hazard: retrying would hide an attack or burn days.
    """
    for cause in causes(fault):
        if isinstance(cause, (ssl.SSLWantReadError, ssl.SSLWantWriteError)):
            continue  # no failure: how a non-blocking read says "later", left in the chain of a timeout
        if isinstance(cause, ssl.SSLCertVerificationError):
            return Verdict.CONFIGURATION, "TLS-VERIFY"
        if isinstance(cause, (ssl.SSLEOFError, ssl.SSLZeroReturnError, ssl.SSLSyscallError)):
            return Verdict.TRANSIENT, "LOST"
        if isinstance(cause, ssl.SSLError):
            return _alert(cause.reason or "")
    return None


def _alert(reason: str) -> tuple[Verdict, str]:
    if "CERTIFICATE" in reason or "UNKNOWN_CA" in reason or "ACCESS_DENIED" in reason:
        return Verdict.CONFIGURATION, "TLS-CLIENT"
    if "INTERNAL_ERROR" in reason or "UNEXPECTED_EOF" in reason:
        return Verdict.TRANSIENT, "LOST"
    return Verdict.CONFIGURATION, "TLS"
