"""A real Dovecot that knows its users by their certificate alone, beside the operator of mailserver.py.

It reads the operator's own maildirs, under a private authority of its own, by implicit TLS and by STARTTLS.
"""

from __future__ import annotations

import pwd
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import trustme
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey

from tests.integration import mailserver
from tests.integration.mailserver import MAIL_OWNER, RealMail

CONF = """\
protocols = imap
base_dir = {base}/run
state_dir = {base}/state
instance_name = {base.name}
log_path = {base}/dovecot.log
listen = 127.0.0.1
ssl = required
ssl_cert = <{base}/server.pem
ssl_key = <{base}/server.key
ssl_ca = <{base}/ca.pem
ssl_verify_client_cert = yes
ssl_require_crl = no
auth_ssl_require_client_cert = yes
auth_ssl_username_from_cert = yes
auth_mechanisms = {mechanisms}
auth_username_chars = abcdefghijklmnopqrstuvwxyz0123456789.-_@
mail_location = maildir:{mail}/%d/%n
first_valid_uid = 1
passdb {{
  driver = static
  args = nopassword=y
}}
userdb {{
  driver = static
  args = uid={owner} gid={gid} home={mail}/%d/%n allow_all_users=yes
}}
service imap-login {{
  inet_listener imap {{
    port = {starttls}
  }}
  inet_listener imaps {{
    port = {tls}
    ssl = yes
  }}
}}
"""


@dataclass(frozen=True)
class CertificateImap:
    """Where it listens, and the certificate of one box."""

    tls_port: int
    starttls_port: int
    ca: Path
    cert: Path
    key: Path
    crl_empty: Path
    crl_revoked: Path
    """Lists of that authority: nothing revoked, and the server's own certificate revoked."""


@contextmanager
def by_certificate(mail: RealMail, box: str, mechanisms: str = "plain external") -> Iterator[CertificateImap]:
    """Serve the operator's maildirs to whoever shows the certificate of `box`."""
    base = Path(tempfile.mkdtemp(prefix="kine-imap-"))
    base.chmod(0o755)
    try:
        for name in ("run", "state"):
            (base / name).mkdir(mode=0o755)
        tls, starttls = _free_port(), _free_port()
        files = (base / name for name in ("ca.pem", "client.pem", "client.key", "crl.pem", "crl-revoked.pem"))
        found = CertificateImap(tls, starttls, *files)
        _certificates(base, box)
        gid = pwd.getpwnam(MAIL_OWNER).pw_gid
        values = {"base": base, "mail": mail.mail_dir, "mechanisms": mechanisms, "owner": MAIL_OWNER, "gid": gid}
        (base / "dovecot.conf").write_text(CONF.format(tls=tls, starttls=starttls, **values), encoding="utf-8")
        with _dovecot(base, tls):
            yield found
    finally:
        shutil.rmtree(base, ignore_errors=True)


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


@contextmanager
def _dovecot(base: Path, port: int) -> Iterator[None]:
    command = [mailserver._binary("dovecot"), "-F", "-c", str(base / "dovecot.conf")]
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, start_new_session=True) as server:
        try:
            mailserver._wait_for_port(port, base / "dovecot.log")
            yield
        finally:
            mailserver._stop_group(server)


def _certificates(base: Path, box: str) -> None:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(base / "ca.pem")
    leaves = {"server": authority.issue_cert("localhost"), "client": authority.issue_cert(box, common_name=box)}
    for name, leaf in leaves.items():
        leaf.private_key_pem.write_to_path(base / f"{name}.key")
        (base / f"{name}.pem").write_bytes(b"".join(pem.bytes() for pem in leaf.cert_chain_pems))
    serial = x509.load_pem_x509_certificate(leaves["server"].cert_chain_pems[0].bytes()).serial_number
    (base / "crl.pem").write_bytes(_revoked(authority))
    (base / "crl-revoked.pem").write_bytes(_revoked(authority, serial))


def _revoked(authority: trustme.CA, *serials: int) -> bytes:
    """A revocation list (RFC 5280 §5) with these serial numbers."""
    issuer = x509.load_pem_x509_certificate(authority.cert_pem.bytes())
    key = serialization.load_pem_private_key(authority.private_key_pem.bytes(), password=None)
    now = datetime.now(UTC)
    builder = x509.CertificateRevocationListBuilder().issuer_name(issuer.subject)
    builder = builder.last_update(now - timedelta(days=1)).next_update(now + timedelta(days=1))
    for serial in serials:
        row = x509.RevokedCertificateBuilder().serial_number(serial).revocation_date(now - timedelta(hours=1)).build()
        builder = builder.add_revoked_certificate(row)
    assert isinstance(key, EllipticCurvePrivateKey)
    return builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)
