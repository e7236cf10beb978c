"""Ways to break a practice that works, one at a time: what `doctor` has to find."""

from __future__ import annotations

import json
import shutil
import socket
import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from typer.testing import CliRunner

from gateway.api import Gateway
from gateway.cli.app import app
from gateway.inspection import machine
from gateway.store import sqlite_doctor
from tests.integration.practice import Practice


@dataclass
class Bench:
    """A practice of one account that works; what a test spoils in its folder is put back."""

    practice: Practice
    spare: Path
    monkeypatch: pytest.MonkeyPatch

    @property
    def folder(self) -> Path:
        """Of the practice."""
        return self.practice.folder

    @property
    def config(self) -> Path:
        """The configuration under test."""
        return self.practice.config

    def edit(self, old: str, new: str) -> None:
        """Change the configuration."""
        text = self.config.read_text(encoding="utf-8")
        assert old in text, text
        self.config.write_text(text.replace(old, new, 1), encoding="utf-8")

    def own(self, name: str) -> Path:
        """A copy of the client's certificate or key that may be spoilt; the configuration names it from now on."""
        kept = self.practice.folder / "sandbox" / "pki" / "clients" / f"cabinet-01-{name}"
        copy = self.spare / name
        shutil.copy2(kept, copy)
        self.edit(f'"{kept}"', f'"{copy}"')
        return copy

    def database(self) -> sqlite3.Connection:
        """The store's file."""
        return sqlite3.connect(self.folder / "gateway.sqlite", isolation_level=None)

    def doctor(self) -> tuple[int, dict[str, Any]]:
        """Exit code and what it says."""
        run = CliRunner().invoke(app, ["doctor", "--json", "--config", str(self.config)])
        assert run.stdout, run.exception
        return run.exit_code, json.loads(run.stdout)


# ------------------------------------------------------------------------------------------------ certificates


def issue(bench: Bench, name: str, begins: int, ends: int, usage: Any, key: ec.EllipticCurvePrivateKey) -> None:
    """A client's certificate of the sandbox's authority; days from now."""
    folder = bench.practice.folder / "sandbox" / "pki"
    authority = x509.load_pem_x509_certificate((folder / "ca.pem").read_bytes())
    signer: Any = serialization.load_pem_private_key((folder / "ca.key").read_bytes(), None)
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "cabinet-01.test")])
    now = datetime.now(UTC)
    made = x509.CertificateBuilder(authority.subject, subject, key.public_key(), x509.random_serial_number())
    made = made.not_valid_before(now + timedelta(days=begins)).not_valid_after(now + timedelta(days=ends))
    signed = made.add_extension(x509.ExtendedKeyUsage([usage]), critical=False).sign(signer, hashes.SHA256())
    bench.own(f"{name}.pem").write_bytes(signed.public_bytes(serialization.Encoding.PEM))


Broken = Callable[[Bench], None]


def certificate(name: str, begins: int = -1, ends: int = 400, usage: Any = ExtendedKeyUsageOID.CLIENT_AUTH) -> Broken:
    def spoil(bench: Bench) -> None:
        key = ec.generate_private_key(ec.SECP256R1())
        issue(bench, name, begins, ends, usage, key)
        form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        bench.own(f"{name}.key").write_bytes(key.private_bytes(*form))

    return spoil


def wrong_key(bench: Bench) -> None:
    form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    bench.own("sign.key").write_bytes(ec.generate_private_key(ec.SECP256R1()).private_bytes(*form))


def key_of_all(bench: Bench) -> None:
    bench.own("sign.key").chmod(0o644)


def no_anchor(bench: Bench) -> None:
    empty = bench.spare / "empty.pem"
    empty.write_text("")
    text = bench.config.read_text(encoding="utf-8")
    i = text.index("[account.insi]")
    ca = f'ca_file = "{bench.practice.folder}/sandbox/pki/ca.pem"'
    bench.config.write_text(text[:i] + text[i:].replace(ca, f'ca_file = "{empty}"', 1), encoding="utf-8")


# ------------------------------------------------------------------------------------- trust list, keys, folders


def stale_list(bench: Bench) -> None:
    path = bench.folder / "trust-space.txt"
    lines = path.read_text(encoding="utf-8").splitlines()
    path.write_text("\n".join("# date: 2024-01-01" if "date:" in one else one for one in lines), encoding="utf-8")


def empty_list(bench: Bench) -> None:
    (bench.folder / "trust-space.txt").write_text("# source: essai\n# date: 2026-11-01\n", encoding="utf-8")


def other_master_key(bench: Bench) -> None:
    key = bench.folder / "sealing.key"
    key.write_text("QUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUE=\n")
    key.chmod(0o600)


def not_a_folder(name: str) -> Broken:
    def spoil(bench: Bench) -> None:
        shutil.rmtree(bench.folder / name, ignore_errors=True)
        (bench.folder / name).parent.mkdir(exist_ok=True)
        (bench.folder / name).write_text("a file")

    return spoil


def full(bytes_left: int) -> Broken:
    def spoil(bench: Bench) -> None:
        usage = shutil.disk_usage(bench.folder)
        bench.monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=bytes_left))

    return spoil


# -------------------------------------------------------------------------------------------------- the database


def corrupt(bench: Bench) -> None:
    path = bench.folder / "gateway.sqlite"
    with closing(bench.database()) as connection:
        root = connection.execute("SELECT rootpage FROM sqlite_schema WHERE name = 'attempt'").fetchone()[0]
        size = connection.execute("PRAGMA page_size").fetchone()[0]
    with path.open("r+b") as file:
        file.seek((root - 1) * size)
        file.write(b"\xff" * size)


def pragma(name: str, value: int) -> Broken:
    def spoil(bench: Bench) -> None:
        with closing(bench.database()) as connection:
            connection.execute(f"PRAGMA {name} = {value}")

    return spoil


def read_only(bench: Bench) -> None:
    """As for a user who may not write: this test may run as one who may write everything."""

    def connect(path: Path) -> sqlite3.Connection:
        return sqlite3.connect(f"file:{path}?mode=ro", uri=True, isolation_level=None)

    bench.monkeypatch.setattr(sqlite_doctor, "_connect", connect)


def tomorrow(bench: Bench) -> None:
    """The last record is of tomorrow: the clock went back."""
    at = (datetime.now(UTC) + timedelta(days=1)).strftime("%Y-%m-%dT%H:%M:%S.000Z")
    with closing(bench.database()) as connection:
        triggers = connection.execute("SELECT name FROM sqlite_schema WHERE type = 'trigger' AND tbl_name = 'journal'")
        for (name,) in triggers.fetchall():
            connection.execute(f"DROP TRIGGER {name}")
        last, record = connection.execute("SELECT seq, record FROM journal ORDER BY seq DESC LIMIT 1").fetchone()
        value = {**json.loads(record), "at": at}
        connection.execute("UPDATE journal SET record = ? WHERE seq = ?", (json.dumps(value), last))


def paused(bench: Bench) -> None:
    with Gateway.open(bench.config) as gateway:
        gateway.pause("cabinet-01", "dmp", by="Anne", reason="inventaire")


def restored(bench: Bench) -> None:
    """The database of an earlier day is put back, and the checkpoints tell that it went on since."""
    database = bench.folder / "gateway.sqlite"
    before = database.read_bytes()
    with Gateway.open(bench.config) as gateway:
        gateway.pause("cabinet-01", by="Anne", reason="X")
        gateway.resume("cabinet-01", by="Anne")
    database.write_bytes(before)


def checkpoints_lost(bench: Bench) -> None:
    for path in (bench.folder / "checkpoints").glob("checkpoint-*"):
        path.unlink()


def checkpoints_behind(bench: Bench) -> None:
    """Only the first one is left, and the journal has gone on by more than it may."""
    bench.edit('checkpoint_dir = "checkpoints"', 'checkpoint_dir = "checkpoints"\nevery_records = 3')
    with Gateway.open(bench.config) as gateway:
        for _ in range(4):
            gateway.pause("cabinet-01", by="Anne", reason="X")
            gateway.resume("cabinet-01", by="Anne")
    for path in sorted((bench.folder / "checkpoints").glob("checkpoint-*.txt"))[1:]:
        path.unlink()


# ------------------------------------------------------------------------------------------ the world around it


KEPT_OPEN: list[socket.socket] = []


def taken_port(bench: Bench) -> None:
    other = socket.socket()
    other.bind(("127.0.0.1", 0))
    other.listen()
    other.settimeout(5)
    bench.monkeypatch.setattr(machine, "CONNECT_SECONDS", 0.2)
    KEPT_OPEN.append(other)
    with bench.config.open("a", encoding="utf-8") as file:
        file.write(f'\n[health]\nlisten = "127.0.0.1:{other.getsockname()[1]}"\n')


def foreign_address(bench: Bench) -> None:
    """An address of the documentation's (RFC 5737), which is no machine's; with a certificate, as the outside needs."""
    pki = bench.practice.folder / "sandbox" / "pki"
    key = bench.spare / "web.key"
    shutil.copy2(pki / "server.key", key)
    key.chmod(0o600)
    with bench.config.open("a", encoding="utf-8") as file:
        file.write(f'\n[web]\nlisten = "192.0.2.1:8787"\ncert_file = "{pki / "server.pem"}"\nkey_file = "{key}"\n')


def no_such_name(bench: Bench) -> None:
    """The DMP's name is not known; the one of the mail is."""
    asked = socket.getaddrinfo

    def unknown(host: Any, *arguments: Any, **options: Any) -> Any:
        if host == "dmp.invalid":
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return asked(host, *arguments, **options)

    bench.monkeypatch.setattr(socket, "getaddrinfo", unknown)
    text = bench.config.read_text(encoding="utf-8")
    i = text.index("[account.dmp]")
    bench.config.write_text(text[:i] + text[i:].replace("https://localhost:", "https://dmp.invalid:", 1), "utf-8")


def nobody_there(bench: Bench) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    text = bench.config.read_text(encoding="utf-8")
    i = text.index("[account.dmp]")
    j = text.index(":", text.index("https://localhost", i) + 8)
    bench.config.write_text(text[:j] + f":{port}" + text[text.index("/", j) :], "utf-8")


def other_time(bench: Bench) -> None:
    """The DMP's clock is ten minutes ahead."""
    there = datetime.now(UTC) + timedelta(minutes=10)
    bench.monkeypatch.setattr(machine, "_date", lambda _: there)


def old_library(bench: Bench) -> None:
    asked = metadata.version
    bench.monkeypatch.setattr(metadata, "version", lambda name: "6.0.9" if name == "lxml" else asked(name))


def patched(target: Any, name: str, value: Any) -> Broken:
    return lambda bench: bench.monkeypatch.setattr(target, name, value)


def mode(name: str, bits: int) -> Broken:
    return lambda bench: (bench.folder / name).chmod(bits)


def gone(name: str) -> Broken:
    return lambda bench: (bench.folder / name).unlink()


def replaced(name: str, content: str) -> Broken:
    return lambda bench: _write(bench.folder / name, content)


def _write(path: Path, content: str) -> None:
    path.write_text(content, encoding="utf-8")
    path.chmod(0o600)
