"""How the real operator opens a box by a token: Postfix asks a Dovecot that validates signed tokens itself.

No network and no provider: Dovecot holds the public key, the tests sign (RFC 7519, ES256) as a provider would.
"""

from __future__ import annotations

import base64
import json
import pwd
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

SMTPD = """\
127.0.0.1:{port} inet n - n - - smtpd
  -o smtpd_tls_wrappermode=yes
  -o smtpd_tls_security_level=encrypt
  -o smtpd_tls_auth_only=yes
  -o smtpd_sasl_auth_enable=yes
  -o smtpd_sasl_type=dovecot
  -o smtpd_sasl_path={socket}
  -o smtpd_sasl_security_options=noanonymous
  -o smtpd_client_restrictions=permit_sasl_authenticated,reject
  -o smtpd_relay_restrictions=permit_sasl_authenticated,reject
  -o smtpd_recipient_restrictions=reject_unlisted_recipient,permit_sasl_authenticated,reject
"""

DOVECOT = """\
protocols = imap
base_dir = {home}/run
state_dir = {home}/state
instance_name = {name}-tokens
log_path = {home}/log
listen = 127.0.0.1
ssl = yes
ssl_cert = <{base}/tls/server.pem
ssl_key = <{base}/tls/server.key
mail_location = maildir:{base}/mail/%d/%n
disable_plaintext_auth = no
auth_mechanisms = xoauth2 oauthbearer
auth_username_chars = abcdefghijklmnopqrstuvwxyz0123456789.-_@
auth_failure_delay = 0
service anvil {{
  unix_listener anvil-auth-penalty {{
    mode = 0
  }}
}}
first_valid_uid = 1
passdb {{
  driver = oauth2
  mechanisms = xoauth2 oauthbearer
  args = {home}/oauth2.conf
}}
userdb {{
  driver = static
  args = uid=nobody gid={gid} home={base}/mail/%d/%n allow_all_users=yes
}}
service imap-login {{
  inet_listener imap {{
    port = 0
  }}
  inet_listener imaps {{
    port = {imap_port}
    ssl = yes
  }}
}}
service auth {{
  unix_listener {home}/sasl {{
    mode = 0666
  }}
}}
"""

OAUTH2 = """\
introspection_mode = local
local_validation_key_dict = fs:posix:prefix={home}/keys/
username_attribute = email
issuers = https://psc.test.example
"""


@dataclass
class TokenService:
    """Signs tokens that the running operator accepts, and others."""

    port: int
    imap_port: int
    """Where the same token opens the box for reading (IMAP, TLS from the first byte)."""
    log: Path
    key: ec.EllipticCurvePrivateKey = field(default_factory=lambda: ec.generate_private_key(ec.SECP256R1()))

    def token(self, address: str, *, lives: float = 300, key: ec.EllipticCurvePrivateKey | None = None) -> str:
        """A signed token for the box of an address, good for `lives` seconds."""
        now = int(time.time())
        claims = {"iss": "https://psc.test.example", "email": address, "sub": address}
        times = {"iat": now - 600, "nbf": now - 600, "exp": now + int(lives)}
        body = f"{_part({'alg': 'ES256', 'typ': 'JWT'})}.{_part({**claims, **times})}"
        r, s = decode_dss_signature((key or self.key).sign(body.encode(), ec.ECDSA(hashes.SHA256())))
        return f"{body}.{_text(r.to_bytes(32, 'big') + s.to_bytes(32, 'big'))}"


def _part(value: dict[str, object]) -> str:
    return _text(json.dumps(value).encode())


def _text(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def listener(base: Path, port: int) -> str:
    """Lines of master.cf for the port that wants a token."""
    return SMTPD.format(port=port, socket=base / "tokens" / "sasl")


@contextmanager
def running(base: Path, port: int, imap_port: int, dovecot: str) -> Iterator[TokenService]:
    """Start the Dovecot that checks tokens, for Postfix's `port` and for reading; `dovecot` is its program."""
    home = base / "tokens"
    home.mkdir(mode=0o755)
    service = TokenService(port, imap_port, home / "log")
    keys = home / "keys" / "default" / "ES256"
    keys.mkdir(parents=True)
    public = service.key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    (keys / "default").write_bytes(public)
    (home / "oauth2.conf").write_text(OAUTH2.format(home=home), encoding="utf-8")
    gid = pwd.getpwnam("nobody").pw_gid
    text = DOVECOT.format(home=home, base=base, name=base.name, gid=gid, imap_port=imap_port)
    (home / "dovecot.conf").write_text(text, encoding="utf-8")
    command = [dovecot, "-F", "-c", str(home / "dovecot.conf")]
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, start_new_session=True) as server:
        try:
            _wait_for(home / "sasl", service.log)
            yield service
        finally:
            server.terminate()
            with suppress(subprocess.TimeoutExpired):
                server.wait(timeout=2)
            if server.poll() is None:
                server.kill()


def _wait_for(path: Path, log: Path) -> None:
    deadline = time.monotonic() + 20
    while not path.exists():
        if time.monotonic() > deadline:
            raise AssertionError(log.read_text() if log.exists() else "Dovecot did not start")
        time.sleep(0.05)
