"""`doctor` opens each box as a sending would, shows each certificate, and says who can send with nobody there."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import pkcs12
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from typer.testing import CliRunner

from gateway.cli.app import app
from gateway.inspection import held_certificates, inspect_settings
from gateway.settings import Settings, load
from tests.integration.practice import Practice, open_practice


@pytest.fixture(scope="module")
def practice(tmp_path_factory: pytest.TempPathFactory, certificates: Path) -> Iterator[Practice]:
    opened = open_practice(tmp_path_factory.mktemp("doctor"), certificates=certificates)
    yield opened
    opened.box.close()


def doctor(practice: Practice, config: Path | None = None) -> dict[str, Any]:
    run = CliRunner().invoke(app, ["doctor", "--json", "--config", str(config or practice.config)])
    value: dict[str, Any] = json.loads(run.stdout)
    assert run.exit_code == (0 if value["ok"] else 1)
    return value


def test_all_is_well(practice: Practice) -> None:
    value = doctor(practice)
    assert value["ok"], value["findings"]
    assert {a["access"]["means"] for a in value["accounts"]} == {"certificate"}
    assert all(a["access"]["unattended"] for a in value["accounts"])
    mine = [c for c in value["certificates"] if c["account"] == "cabinet-01"]
    assert {(c["purpose"], c["holder"], *c["usages"]) for c in mine} == {
        ("MSSanté, envoi", "structure", "authentification"),
        ("DMP", "structure", "authentification"),
        ("DMP, signature", "structure", "signature"),
    }
    shown = CliRunner().invoke(app, ["doctor", "--config", str(practice.config)]).stdout
    assert "valable jusqu'au" in shown
    listed = CliRunner().invoke(app, ["session", "list", "--config", str(practice.config)])
    assert (listed.exit_code, "oui" in listed.stdout) == (0, True)


def test_a_box_that_does_not_open_is_an_error(practice: Practice, tmp_path: Path) -> None:
    """The server answers, TLS succeeds, and yet nothing could be sent: only a real look shows it."""
    text = practice.config.read_text(encoding="utf-8")
    first = text.index("[account.smtp]")
    start = text.index(", cert_file", first)
    end = text.index(" }", start)
    config = practice.config.with_name("bare.toml")
    config.write_text(text[:start] + text[end:], encoding="utf-8")
    value = doctor(practice, config)
    assert not value["ok"]
    (found,) = [f for f in value["findings"] if f["code"] == "CFG-114"]
    assert (found["severity"], "MSS-421-4.7.1" in found["message"]) == ("error", True)
    assert "certificat" in found["advice"]
    assert [a["access"]["reason"] for a in value["accounts"] if not a["access"]["unattended"]] == ["TLS-009"]


def test_unknown_account_is_said(practice: Practice) -> None:
    run = CliRunner().invoke(app, ["session", "ready", "personne", "--by", "Anne", "--config", str(practice.config)])
    assert run.exception.code == "CFG-012"  # type: ignore[union-attr]
    run = CliRunner().invoke(app, ["session", "ready", "cabinet-01", "--by", "Anne", "--config", str(practice.config)])
    assert run.exit_code == 0


# ------------------------------------------------------------------------------------- PKCS#12 in a configuration


def archive(folder: Path, days: int, usage: x509.ObjectIdentifier) -> tuple[Path, Path]:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "899700001011")])
    now = datetime.now(UTC)
    builder = x509.CertificateBuilder(
        name, name, key.public_key(), 7, now - timedelta(days=400), now + timedelta(days=days)
    )
    certificate = builder.add_extension(x509.ExtendedKeyUsage([usage]), critical=False).sign(key, hashes.SHA256())
    encryption = serialization.BestAvailableEncryption(b"secret")
    (folder / "c.p12").write_bytes(pkcs12.serialize_key_and_certificates(None, key, certificate, None, encryption))
    (folder / "c.pass").write_text("secret\n")
    (folder / "c.pass").chmod(0o600)
    return folder / "c.p12", folder / "c.pass"


def changed(practice: Practice, **tls: Path | None) -> Settings:
    settings = load(practice.config)
    account = settings.account[0]
    assert account.smtp is not None
    new = account.smtp.tls.model_copy(update={"cert_file": None, "key_file": None, **tls})
    smtp = account.smtp.model_copy(update={"tls": new})
    return settings.model_copy(update={"account": (account.model_copy(update={"smtp": smtp}),)})


CLIENT, SERVER = ExtendedKeyUsageOID.CLIENT_AUTH, ExtendedKeyUsageOID.SERVER_AUTH


@pytest.mark.parametrize(
    ("days", "usage", "codes"),
    [
        (365, CLIENT, []),
        (20, CLIENT, [("CFG-107", "warning")]),
        (-1, CLIENT, [("CFG-107", "error")]),
        (365, SERVER, [("CFG-113", "warning")]),
    ],
)
def test_pkcs12_is_examined(
    practice: Practice, tmp_path: Path, days: int, usage: x509.ObjectIdentifier, codes: list[tuple[str, str]]
) -> None:
    file, password = archive(tmp_path, days, usage)
    settings = changed(practice, pkcs12_file=file, pkcs12_password_file=password)
    found = [f for f in inspect_settings(settings) if "/smtp/tls/pkcs12" in f.path]
    assert [(f.code, f.severity.value) for f in found] == codes
    _, one = next((p, c) for _, p, c in held_certificates(settings) if p == "MSSanté, envoi")
    assert one.holder == ("personne" if usage == CLIENT else "serveur")
    assert (one.ends.date() - datetime.now(UTC).date()).days == days


def test_pkcs12_that_does_not_open_and_a_password_that_others_read(practice: Practice, tmp_path: Path) -> None:
    file, password = archive(tmp_path, 365, CLIENT)
    password.write_text("autre")
    password.chmod(0o644)
    found = inspect_settings(changed(practice, pkcs12_file=file, pkcs12_password_file=password))
    codes = {f.code for f in found if "/smtp/tls/pkcs12" in f.path}
    assert codes == {"TLS-006", "CFG-102"}
