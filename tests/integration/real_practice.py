"""A practice whose operator is real: one account at Postfix and Dovecot, its mailbox read by IMAP."""

from __future__ import annotations

import json
import smtplib
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from gateway.api import Gateway
from tests.integration.mailserver import DOMAINS, PASSWORD
from tests.integration.practice import case

if TYPE_CHECKING:
    from tests.integration.mailserver import RealMail

CASE = "08_lombalgie_alerte_bilan"
DOCTOR_DOMAIN = DOMAINS[1]
FAST = "delays = [0.2, 0.4]\njitter = false\nbreaker_pause = 0.3\n"


@dataclass(frozen=True)
class RealPractice:
    """Where the configuration is, and whose box it reads."""

    config: Path
    mailbox: str
    account: str

    def open(self, **options: Any) -> Gateway:
        return Gateway.open(self.config, **options)


def open_real(
    folder: Path,
    mail: RealMail,
    name: str,
    *,
    smtp_port: int = 0,
    retry: str = FAST,
    of: str = CASE,
    tables: str = "",
    **imap: Any,
) -> RealPractice:
    """Write the configuration of a practice with the box `name`, of the author of the fixture `of`.

    `imap` adds to [account.imap], `tables` to the file.
    """
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "password").write_text(PASSWORD + "\n")
    (folder / "trust.txt").write_text("# source: tests\n# date: 2026-11-01\n" + "\n".join(DOMAINS) + "\n")
    submission, mailbox = case(of), f"{name}@{DOMAINS[0]}"
    tls = f'{{ ca_file = "{mail.ca}", cert_file = "{mail.client_cert}", key_file = "{mail.client_key}" }}'
    extra = "".join(f"{key} = {json.dumps(value)}\n" for key, value in imap.items())
    text = f"""
[store]
url = "sqlite:///gateway.sqlite"
[sealing]
key_file = "sealing.key"
[journal]
checkpoint_dir = "checkpoints"
key_file = "journal.key"
[trust_space]
file = "trust.txt"
{tables}
[retry]
{retry}
[[account]]
id = "{submission["account"]}"
rpps = "{submission["author"]["rpps"]}"
mailbox = "{mailbox}"
display_name = "M_Test_TEST_Cabinet"
outbox = "outbox"
oid_root = "1.2.250.1.99999.1"
nil = "DEV1"
[account.smtp]
host = "localhost"
port = {smtp_port or mail.smtps_port}
timeout = 10
answer_timeout = 10
tls = {tls}
[account.imap]
host = "localhost"
port = {mail.imaps_port}
timeout = 10
auth = "password"
password_file = "password"
tls = {tls}
{extra}
"""
    config = folder / "gateway.toml"
    config.write_text(text, encoding="utf-8")
    return RealPractice(config, mailbox, submission["account"])


def letter(to: str, key: str = "un") -> bytes:
    """A submission for one doctor and nobody else."""
    value = case(CASE)
    value["key"] = f"{value['key']}-{key}"
    value["document"]["id"] = f"{value['document']['id']}-{key}"
    doctor = {**value["recipients"][0], "mssante": f"{to}@{DOCTOR_DOMAIN}"}
    value["recipients"] = [doctor]
    value["patient"]["delivery"] = "hand"
    value["patient"].pop("dmp", None)
    return json.dumps(value).encode()


def post(mail: RealMail, sender: str, to: str, data: bytes) -> None:
    """Put a mail into a box, as another member of the trust space does."""
    with smtplib.SMTP_SSL("localhost", mail.smtps_port, context=mail.tls()) as client:
        client.sendmail(sender, [to], data)


CONTENT = 30_000
TAIL = 60
"""Bytes held back at the end of a mail: the record that carries its final dot is among them, so it never arrives."""
Where = Literal["before", "after"]


@dataclass
class Cutter:
    """A proxy before the operator that cuts the first `left` mails.

    `before` the operator has the final dot: it takes nothing; `after` it has taken the mail: its answer is swallowed.
    What passes is encrypted, so it goes by sizes: nothing but the content of a mail is that long.
    """

    operator: int
    where: Where
    left: int

    def accept(self, listener: socket.socket) -> None:
        """Serve until the listener is closed."""
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            server = socket.create_connection(("127.0.0.1", self.operator))
            threading.Thread(target=self._up, args=(client, server), daemon=True).start()

    def _up(self, client: socket.socket, server: socket.socket) -> None:
        passed = [0]
        threading.Thread(target=self._down, args=(server, client, passed), daemon=True).start()
        held = b""
        with suppress(OSError):
            while True:
                strike = self.where == "before" and self.left > 0 and passed[0] > CONTENT
                client.settimeout(0.4 if strike else None)
                data = client.recv(65536)
                if not data:
                    break
                passed[0] += len(data)
                held += data
                keep = TAIL if self.where == "before" and self.left > 0 and passed[0] > CONTENT else 0
                server.sendall(held[: len(held) - keep])
                held = held[len(held) - keep :]
        if held:
            self.left -= 1
        _close(client, server)

    def _down(self, server: socket.socket, client: socket.socket, passed: list[int]) -> None:
        with suppress(OSError):
            while data := server.recv(65536):
                if self.where == "after" and self.left > 0 and passed[0] > CONTENT:
                    self.left -= 1
                    break
                client.sendall(data)
        _close(client, server)


@contextmanager
def cutting(operator: int, where: Where, times: int = 1) -> Iterator[int]:
    """The port of a `Cutter` in front of the operator's."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=Cutter(operator, where, times).accept, args=(listener,), daemon=True)
        thread.start()
        yield listener.getsockname()[1]
        listener.shutdown(socket.SHUT_RDWR)
    thread.join(5)


def _close(*sockets: socket.socket) -> None:
    for one in sockets:
        with suppress(OSError):
            one.shutdown(socket.SHUT_RDWR)
        one.close()
