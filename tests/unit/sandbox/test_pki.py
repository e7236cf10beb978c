"""The private authority: made once, kept, checked by openssl, and never made again silently."""

from __future__ import annotations

import os
import stat
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography.x509.oid import NameOID

from gateway.clock import FrozenClock
from gateway.errors import ConfigError
from gateway.sandbox.certificates import (
    CertificateError,
    check_chain,
    is_client_certificate,
    is_signature_certificate,
    mailboxes_of,
    person_of,
    same_name,
    structure_of,
)
from gateway.sandbox.pki import Pki, create_pki, issue_client

from .builders import RPPS, STRUCTURE
from .conftest import Certificates

NOW = datetime.now(UTC)


@pytest.fixture
def made(tmp_path: Path) -> Pki:
    return create_pki(tmp_path, FrozenClock(NOW))


def test_a_second_start_finds_the_same_certificates(made: Pki) -> None:
    before = {path.name: path.read_bytes() for path in made.folder.iterdir()}
    create_pki(made.folder, FrozenClock(NOW + timedelta(days=300)))
    assert {path.name: path.read_bytes() for path in made.folder.iterdir()} == before


@pytest.mark.skipif(os.name == "nt", reason="POSIX permissions")
def test_keys_are_private(made: Pki) -> None:
    keys = list(made.folder.rglob("*.key"))
    assert keys
    assert all(stat.S_IMODE(path.stat().st_mode) == 0o600 for path in keys)


def test_an_expired_certificate_is_said_and_kept(made: Pki) -> None:
    late = FrozenClock(NOW + timedelta(days=2000))
    with pytest.raises(ConfigError) as caught:
        create_pki(made.folder, late)
    assert caught.value.code == "SBX-002"
    assert caught.value.advice
    assert made.server.cert_path.exists()


def test_a_clock_that_went_back_is_said(made: Pki) -> None:
    with pytest.raises(ConfigError) as caught:
        create_pki(made.folder, FrozenClock(NOW - timedelta(days=30)))
    assert caught.value.code == "SBX-003"


@pytest.mark.parametrize("lost", ["ca.key", "ca.pem", "server.key"])
def test_half_a_pair_is_an_error(made: Pki, lost: str) -> None:
    (made.folder / lost).unlink()
    with pytest.raises(ConfigError) as caught:
        create_pki(made.folder, FrozenClock(NOW))
    assert caught.value.code == "SBX-001"


def test_a_damaged_certificate_is_an_error(made: Pki) -> None:
    made.ca_path.write_text("rien")
    with pytest.raises(ConfigError) as caught:
        create_pki(made.folder, FrozenClock(NOW))
    assert caught.value.code == "SBX-001"


def test_three_uses_three_certificates(pki: Certificates) -> None:
    assert is_client_certificate(pki.auth.certificate)
    assert not is_signature_certificate(pki.auth.certificate)
    assert is_signature_certificate(pki.sign.certificate)
    assert not is_client_certificate(pki.sign.certificate)
    assert (structure_of(pki.auth.certificate), person_of(pki.auth.certificate)) == (STRUCTURE, "")
    assert person_of(pki.personal_sign.certificate) == f"8{RPPS}"


def _issue(folder: Path, **changes: Any) -> Any:
    wanted: dict[str, Any] = {"kind": "mail", "structure_id": STRUCTURE, "mailboxes": ("A@b.example",)}
    return issue_client(folder, changes.pop("name", "a"), clock=FrozenClock(NOW), **{**wanted, **changes})


def test_a_client_is_issued_once_and_found_again(made: Pki) -> None:
    first = _issue(made.folder)
    assert mailboxes_of(first.certificate()) == ("a@b.example",)
    assert _issue(made.folder).certificate() == first.certificate()


@pytest.mark.parametrize(
    "changes",
    [{"structure_id": "499999999999999"}, {"rpps": RPPS}, {"mailboxes": ("c@d.example",)}, {"name": "../evil"}],
)
def test_a_name_is_not_given_to_somebody_else(made: Pki, changes: dict[str, Any]) -> None:
    _issue(made.folder)
    with pytest.raises(ConfigError) as caught:
        _issue(made.folder, **changes)
    assert caught.value.code == "SBX-004"


def test_another_authority_is_not_ours(pki: Certificates) -> None:
    with pytest.raises(CertificateError):
        check_chain(pki.rogue_sign.certificate, pki.ca, NOW)


def test_names_are_compared_by_rfc_2253(pki: Certificates) -> None:
    subject = pki.sign.certificate.subject
    text = subject.rfc4514_string()
    assert same_name(text, subject)
    assert same_name(text.replace(",", ", "), subject) is False or ", " not in text
    assert not same_name(text.replace("ST=", "S="), subject)
    assert not same_name(",".join(reversed(text.split(","))), subject)
    assert not same_name("", subject)
    assert subject.get_attributes_for_oid(NameOID.STATE_OR_PROVINCE_NAME)


@pytest.mark.needs("openssl")
@pytest.mark.parametrize(("which", "purpose"), [("server", "sslserver"), ("auth", "sslclient")])
def test_openssl_agrees(pki: Certificates, which: str, purpose: str) -> None:
    path = pki.folder / "server.pem" if which == "server" else pki.auth.cert_path
    command = [
        "openssl",
        "verify",
        "-x509_strict",
        "-purpose",
        purpose,
        "-CAfile",
        str(pki.folder / "ca.pem"),
        str(path),
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
