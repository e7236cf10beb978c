from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from gateway.settings import ImapSettings, redacted
from tests.unit.settings.test_settings import ACCOUNT, MINIMAL, SECRET

TLS = {"ca_file": "ca.pem", "cert_file": "c.pem", "key_file": "c.key"}


def made(**changes: Any) -> ImapSettings:
    return ImapSettings.model_validate({"host": "imap.example", "tls": TLS} | changes)


def test_what_is_safe_is_the_default() -> None:
    settings = made()
    assert (settings.port, settings.security, settings.auth, settings.folder) == (993, "tls", "certificate", "INBOX")
    assert (settings.self_copy, settings.in_doubt) == (False, "query")


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"auth": "password"}, "password_file"),
        ({"password_file": "secret"}, "password_file"),
        ({"tls": {"ca_file": "ca.pem"}}, "certificat client"),
        ({"in_doubt": "resend"}, "self_copy"),
        ({"in_doubt": "resend", "self_copy": True, "resend_after": 1}, "resend_after"),
        ({"folder": "A\r\nB LOGOUT"}, "folder"),
        ({"user": "a b"}, "user"),
        ({"host": "imap.example/x"}, "host"),
        ({"poll_every": 0}, "poll_every"),
        ({"rescan_days": 0}, "rescan_days"),
        ({"security": "none"}, "security"),
    ],
)
def test_what_cannot_work_is_refused(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError) as caught:
        made(**changes)
    assert said in str(caught.value)


def test_a_token_needs_no_certificate() -> None:
    assert made(auth="xoauth2", tls={"ca_file": "ca.pem"}).auth == "xoauth2"


def test_the_password_is_a_path_and_found_from_the_file(tmp_path: Any) -> None:
    from gateway.settings import load

    table = 'auth = "password"\npassword_file = "secrets/imap"\ntls = { ca_file = "ca.pem" }\n'
    path = tmp_path / "gateway.toml"
    path.write_text(MINIMAL + ACCOUNT + '[account.imap]\nhost = "imap.example"\n' + table)
    (tmp_path / "secrets").mkdir()
    (tmp_path / "secrets" / "imap").write_text(SECRET)
    settings = load(path)
    assert settings.account[0].imap is not None
    assert settings.account[0].imap.password_file == tmp_path / "secrets" / "imap"
    assert SECRET not in str(redacted(settings))
