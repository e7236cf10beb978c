"""A real MSSanté-like operator for tests: Postfix takes mail, Dovecot keeps it and gives it back by IMAP.

Both want client certificates.

Everything lives in one temporary folder, on free loopback ports, under a private CA; nothing of the machine's own
mail configuration is read or changed. Mail is taken for the domains of `DOMAINS` only (any other domain is refused
with 5.1.2, as an operator's white list does), for any local part but `inconnu`. Those of `HOSPITAL` are put into
the box by Postfix itself, which can so report `delivered`; the others go over LMTP (`relayed`). Root is needed: Postfix
drops privileges by itself.

Use the session fixture `real_mail` of tests/integration/conftest.py.
"""

from __future__ import annotations

import imaplib
import os
import pwd
import shutil
import signal
import socket
import ssl
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path

import trustme
from cryptography import x509
from cryptography.hazmat.primitives import hashes

from tests.integration import tokenserver
from tests.integration.tokenserver import TokenService

HOSPITAL = "hopital.test.mssante.fr"
EVERYBODY = "tous"
DOMAINS = ("kine.test.mssante.fr", "medecin.test.mssante.fr", "patient.test.mssante.fr", "patient.mssante.fr", HOSPITAL)
UNKNOWN = f"inconnu@{DOMAINS[1]}"
"""An address of a served domain that does not exist: 550 5.1.1."""
GONE = f"parti@{DOMAINS[1]}"
"""An address that is taken at first and bounces afterwards: 5.1.1."""
CLOSED = f"ferme@{DOMAINS[1]}"
"""The same, with 5.2.1: the box is closed."""
CLOSED_PATIENT = "201032227890155@patient.mssante.fr"
"""The same for the patient of the fixture 01_entorse_cheville_bilan."""
PASSWORD = "mot-de-passe-de-test"
MESSAGE_LIMIT = 26_214_400
SBIN = ("/usr/sbin", "/sbin")
MAIL_OWNER = "nobody"


@dataclass(frozen=True)
class RealMail:
    """Where the running operator is, and the certificates to talk to it."""

    host: str
    smtps_port: int
    starttls_port: int
    imaps_port: int
    ca: Path
    """The operator's CA, which is also the one its clients' certificates come from."""
    client_cert: Path
    client_key: Path
    rogue_cert: Path
    """A client certificate of another CA: the operator does not know it."""
    rogue_key: Path
    other_ca: Path
    """A CA that did not issue the operator's certificate."""
    mail_dir: Path
    log: Path
    token_port: int = 0
    """The listener that wants a token (XOAUTH2) and no client certificate."""
    tokens: TokenService | None = None
    """Signs the tokens that this operator accepts."""

    def tls(self, *, cert: Path | None = None, key: Path | None = None) -> ssl.SSLContext:
        """A context that trusts the operator; with the good client certificate unless another is given."""
        context = ssl.create_default_context(cafile=str(self.ca))
        context.load_cert_chain(cert or self.client_cert, key or self.client_key)
        return context

    def tls_without_cert(self) -> ssl.SSLContext:
        """A context that trusts the operator and shows no certificate."""
        return ssl.create_default_context(cafile=str(self.ca))

    def maildir(self, address: str) -> Path:
        """Maildir of an address."""
        local, _, domain = address.partition("@")
        return self.mail_dir / domain / (EVERYBODY if domain == HOSPITAL else local)

    def messages(self, address: str) -> list[bytes]:
        """What was delivered to an address, oldest first."""
        found = [path for folder in ("new", "cur") for path in (self.maildir(address) / folder).glob("*")]
        read = [path.read_bytes() for path in sorted(found, key=lambda path: path.stat().st_mtime_ns)]
        return [raw for raw in read if HOSPITAL not in address or b"Delivered-To: " + address.encode() in raw]

    def wait_for(self, address: str, count: int = 1, timeout: float = 10.0) -> list[bytes]:
        """Messages of an address once there are `count` of them (Postfix queues before it delivers)."""
        deadline = time.monotonic() + timeout
        while len(found := self.messages(address)) < count:
            if time.monotonic() > deadline:
                raise AssertionError(f"{len(found)} of {count} messages for {address}\n{self.log.read_text()[-3000:]}")
            time.sleep(0.05)
        return found

    def imap(self, address: str) -> imaplib.IMAP4_SSL:
        """A logged-in IMAP connection to the box of an address."""
        connection = imaplib.IMAP4_SSL(self.host, self.imaps_port, ssl_context=self.tls(), timeout=10)
        connection.login(address, PASSWORD)
        return connection


@contextmanager
def running(listeners: str = "") -> Iterator[RealMail]:
    """Start both servers, yield their particulars, stop them by process id and remove the folder.

    `listeners` are more lines of Postfix's master.cf: a benchmark wants one of its own.
    """
    # Not pytest's own tmp_path: too deep for the servers' users and for socket names (108 bytes).
    base = Path(tempfile.mkdtemp(prefix="kine-mail-"))
    base.chmod(0o755)
    try:
        mail = _prepare(base, listeners)
        with tokenserver.running(base, mail.token_port, free_ports(1)[0], _binary("dovecot")) as tokens:
            mail = replace(mail, tokens=tokens)
            with _postfix(base, mail), _dovecot(base, mail):
                yield mail
    finally:
        shutil.rmtree(base, ignore_errors=True)


def _prepare(base: Path, listeners: str) -> RealMail:
    for name in ("postfix", "queue", "data", "mail", "dovecot", "tls"):
        (base / name).mkdir(mode=0o755)
    shutil.chown(base / "data", "postfix")
    shutil.chown(base / "mail", MAIL_OWNER)
    smtps, starttls, imaps, token = free_ports(4)
    tls = base / "tls"
    client = _certificates(tls)
    log = base / "postfix.log"
    mail = RealMail(
        host="127.0.0.1",
        smtps_port=smtps,
        starttls_port=starttls,
        imaps_port=imaps,
        ca=tls / "ca.pem",
        client_cert=tls / "client.pem",
        client_key=tls / "client.key",
        rogue_cert=tls / "rogue.pem",
        rogue_key=tls / "rogue.key",
        other_ca=tls / "other-ca.pem",
        mail_dir=base / "mail",
        log=log,
        token_port=token,
    )
    _configure_postfix(base, mail, _fingerprint(client), listeners)
    _configure_dovecot(base, mail)
    return mail


def free_ports(count: int) -> list[int]:
    with ExitStack() as kept:
        sockets = [kept.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(count)]
        return [item.getsockname()[1] for item in sockets]


def _certificates(folder: Path) -> bytes:
    """Write CA, server, client and rogue certificates; return the client's, in PEM."""
    ca, other = trustme.CA(), trustme.CA()
    ca.cert_pem.write_to_path(folder / "ca.pem")
    other.cert_pem.write_to_path(folder / "other-ca.pem")
    leaves = {
        "server": ca.issue_cert("localhost", "127.0.0.1"),
        "client": ca.issue_cert("cabinet@" + DOMAINS[0], common_name="cabinet.kine"),
        "rogue": other.issue_cert("cabinet@" + DOMAINS[0], common_name="cabinet.kine"),
    }
    for name, leaf in leaves.items():
        leaf.private_key_pem.write_to_path(folder / f"{name}.key")
        (folder / f"{name}.pem").write_bytes(b"".join(pem.bytes() for pem in leaf.cert_chain_pems))
    return leaves["client"].cert_chain_pems[0].bytes()


def _fingerprint(pem: bytes) -> str:
    return x509.load_pem_x509_certificate(pem).fingerprint(hashes.SHA256()).hex(":").upper()


def _binary(name: str) -> str:
    found = shutil.which(name, path=os.pathsep.join([os.environ.get("PATH", ""), *SBIN]))
    assert found is not None, f"{name} is not installed"
    return found


# ----------------------------------------------------------------------------------------------- Postfix
MAIN_CF = """\
compatibility_level = 3.6
config_directory = {base}/postfix
queue_directory = {base}/queue
data_directory = {base}/data
maillog_file = {log}
maillog_file_prefixes = {base}
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
myhostname = operateur.test.mssante.fr
mydestination =
alias_maps =
alias_database =
local_recipient_maps =
local_transport = error:5.1.2 domain not served
default_transport = error:5.1.2 domain outside the trust space
virtual_mailbox_domains = {domains}
virtual_mailbox_maps = regexp:{base}/postfix/mailboxes
virtual_transport = lmtp:unix:{base}/dovecot/lmtp
virtual_mailbox_base = {mail}
virtual_mailbox_limit = 0
virtual_minimum_uid = 1
virtual_uid_maps = static:{uid}
virtual_gid_maps = static:{gid}
transport_maps = texthash:{base}/postfix/transport
message_size_limit = {limit}
smtputf8_enable = yes
smtpd_tls_cert_file = {base}/tls/server.pem
smtpd_tls_key_file = {base}/tls/server.key
smtpd_tls_CAfile = {base}/tls/ca.pem
smtpd_tls_fingerprint_digest = sha256
smtpd_tls_received_header = yes
smtpd_tls_session_cache_database =
relay_clientcerts = texthash:{base}/postfix/clients
smtpd_client_restrictions = permit_tls_clientcerts, reject
smtpd_relay_restrictions = permit_tls_clientcerts, reject
smtpd_recipient_restrictions = reject_unlisted_recipient, permit_tls_clientcerts, reject
smtpd_peername_lookup = no
"""

SMTPD = """\
127.0.0.1:{port} inet n - n - - smtpd
  -o smtpd_tls_wrappermode={wrapper}
  -o smtpd_tls_security_level=encrypt
  -o smtpd_tls_req_ccert=yes
"""

MASTER_CF = """\
pickup unix n - n 60 1 pickup
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
tlsmgr unix - - n 1000? 1 tlsmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
showq unix n - n - - showq
error unix - - n - - error
retry unix - - n - - error
bounced unix - n n - - pipe
  user={owner} argv={base}/postfix/bounce ${{nexthop}}
lmtp unix - - n - - lmtp
virtual unix - n n - - virtual
proxymap unix - - n - - proxymap
anvil unix - - n - 1 anvil
scache unix - - n - 1 scache
postlog unix-dgram n - n - 1 postlogd
"""


def _configure_postfix(base: Path, mail: RealMail, fingerprint: str, listeners: str) -> None:
    domains, user = " ".join(DOMAINS), pwd.getpwnam(MAIL_OWNER)
    values = {"base": base, "log": mail.log, "mail": mail.mail_dir, "uid": user.pw_uid, "gid": user.pw_gid}
    main = MAIN_CF.format(domains=domains, limit=MESSAGE_LIMIT, **values)
    (base / "postfix" / "main.cf").write_text(main, encoding="utf-8")
    ports = SMTPD.format(port=mail.smtps_port, wrapper="yes") + SMTPD.format(port=mail.starttls_port, wrapper="no")
    ports += tokenserver.listener(base, mail.token_port) + listeners
    (base / "postfix" / "master.cf").write_text(ports + MASTER_CF.format(base=base, owner=MAIL_OWNER), encoding="utf-8")
    served = "|".join(domain.replace(".", r"\.") for domain in DOMAINS)
    # virtual(8) takes a path from here, and allows no substitution in it: one box for all of that domain.
    boxes = f"if !/^inconnu@/\n/^[a-z0-9._-]+@({served})$/ {HOSPITAL}/{EVERYBODY}/\nendif\n"
    (base / "postfix" / "mailboxes").write_text(boxes, encoding="utf-8")
    # Not the transport "error": Postfix would refuse these at once.
    late = f"{GONE} bounced:5.1.1\n{CLOSED} bounced:5.2.1\n{CLOSED_PATIENT} bounced:5.2.1\n{HOSPITAL} virtual:\n"
    (base / "postfix" / "transport").write_text(late, encoding="utf-8")
    script = base / "postfix" / "bounce"
    script.write_text('#!/bin/sh\ncat >/dev/null\necho "$1 mailbox unavailable"\nexit 69\n', encoding="utf-8")
    script.chmod(0o755)
    (base / "postfix" / "clients").write_text(f"{fingerprint} cabinet\n", encoding="utf-8")


@contextmanager
def _postfix(base: Path, mail: RealMail) -> Iterator[None]:
    command = [_binary("postfix"), "-c", str(base / "postfix"), "start"]
    run = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    try:
        assert run.returncode == 0, run.stdout + run.stderr + (mail.log.read_text() if mail.log.exists() else "")
        _wait_for_port(mail.smtps_port, mail.log)
        _wait_for_port(mail.starttls_port, mail.log)
        yield
    finally:
        _stop(base / "queue" / "pid" / "master.pid")


def _stop(pid_file: Path) -> None:
    """Stop a Postfix master by the process id it wrote; its children follow it."""
    with suppress(FileNotFoundError, ProcessLookupError, ValueError):
        pid = int(pid_file.read_text().strip())
        os.kill(pid, signal.SIGTERM)
        for _ in range(100):
            os.kill(pid, 0)
            time.sleep(0.05)
        os.kill(pid, signal.SIGKILL)


# ----------------------------------------------------------------------------------------------- Dovecot
DOVECOT_CONF = """\
protocols = imap lmtp
base_dir = {base}/dovecot/run
state_dir = {base}/dovecot/state
instance_name = {base.name}
log_path = {base}/dovecot.log
listen = 127.0.0.1
ssl = required
ssl_cert = <{base}/tls/server.pem
ssl_key = <{base}/tls/server.key
ssl_ca = <{base}/tls/ca.pem
ssl_verify_client_cert = yes
ssl_require_crl = no
auth_ssl_require_client_cert = yes
auth_mechanisms = plain login
auth_username_chars = abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_@
mail_location = maildir:{mail}/%d/%n
first_valid_uid = 1
passdb {{
  driver = static
  args = password={password}
}}
userdb {{
  driver = static
  args = uid={owner} gid={gid} home={mail}/%d/%n allow_all_users=yes
}}
service lmtp {{
  unix_listener {base}/dovecot/lmtp {{
    mode = 0666
  }}
}}
service imap-login {{
  inet_listener imap {{
    port = 0
  }}
  inet_listener imaps {{
    port = {port}
    ssl = yes
  }}
}}
"""


def _configure_dovecot(base: Path, mail: RealMail) -> None:
    text = DOVECOT_CONF.format(
        base=base,
        mail=mail.mail_dir,
        password=PASSWORD,
        owner=MAIL_OWNER,
        gid=pwd.getpwnam(MAIL_OWNER).pw_gid,
        port=mail.imaps_port,
    )
    (base / "dovecot" / "dovecot.conf").write_text(text, encoding="utf-8")


@contextmanager
def _dovecot(base: Path, mail: RealMail) -> Iterator[None]:
    command = [_binary("dovecot"), "-F", "-c", str(base / "dovecot" / "dovecot.conf")]
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, start_new_session=True) as server:
        try:
            _wait_for_port(mail.imaps_port, base / "dovecot.log")
            yield
        finally:
            _stop_group(server)


def _stop_group(server: subprocess.Popen[bytes]) -> None:
    """Stop Dovecot and its helpers; killed too soon after its start it would linger for several seconds."""
    os.killpg(server.pid, signal.SIGTERM)
    try:
        server.wait(timeout=1)
    except subprocess.TimeoutExpired:
        os.killpg(server.pid, signal.SIGKILL)
        server.wait(timeout=10)


def _wait_for_port(port: int, log: Path, timeout: float = 20.0) -> None:
    deadline = time.monotonic() + timeout
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            if time.monotonic() > deadline:
                tail = log.read_text()[-3000:] if log.exists() else "no log"
                raise AssertionError(f"nothing listens on port {port}\n{tail}") from None
            time.sleep(0.05)
        else:
            return
