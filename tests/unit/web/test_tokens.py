from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from gateway.errors import ConfigError, NotFoundError, StoreError
from gateway.web.tokens import Role, TokenFile

NOW = datetime(2026, 11, 22, 9, 0, tzinfo=UTC)


@pytest.fixture
def tokens(tmp_path: Path) -> TokenFile:
    return TokenFile(tmp_path / "secrets" / "tokens.json")


def test_a_token_opens_until_it_is_revoked_and_stays_listed(tokens: TokenFile) -> None:
    secret, made = tokens.add("Cabinet Durand", Role.PRACTICE, "cabinet", now=NOW)
    other = TokenFile(tokens.path)  # another process
    assert other.find(secret, NOW) == made
    tokens.revoke(made.id, NOW)
    assert other.find(secret, NOW) is None
    assert [token.id for token in other.all()] == [made.id]


def test_it_ends_by_itself(tokens: TokenFile) -> None:
    secret, _ = tokens.add("Audit", Role.AUDITOR, None, now=NOW, expires=NOW + timedelta(days=1))
    assert tokens.find(secret, NOW + timedelta(hours=23)) is not None
    assert tokens.find(secret, NOW + timedelta(days=1)) is None


def test_the_file_is_private_and_holds_no_secret(tokens: TokenFile) -> None:
    secret, _ = tokens.add("Audit", Role.AUDITOR, None, now=NOW)
    assert secret not in tokens.path.read_text()
    assert secret.removeprefix("kg_") not in tokens.path.read_text()
    if os.name == "posix":
        assert tokens.path.stat().st_mode & 0o777 == 0o600
        tokens.path.chmod(0o644)
        with pytest.raises(StoreError, match="lisible"):
            TokenFile(tokens.path).all()


@pytest.mark.parametrize("wrong", ["", "kg_", "x" * 50, "kg_" + "A" * 43, "\ud800"])
def test_anything_else_opens_nothing(tokens: TokenFile, wrong: str) -> None:
    tokens.add("Audit", Role.AUDITOR, None, now=NOW)
    assert tokens.find(wrong, NOW) is None


@pytest.mark.parametrize(
    ("role", "account", "name"),
    [(Role.AUDITOR, "cabinet", "x"), (Role.VENDOR, None, "x"), (Role.AUDITOR, None, " "), (Role.AUDITOR, None, "a\nb")],
)
def test_what_makes_no_sense_is_refused(tokens: TokenFile, role: Role, account: str | None, name: str) -> None:
    with pytest.raises(ConfigError):
        tokens.add(name, role, account, now=NOW)


@pytest.mark.parametrize("content", [b"", b"[]", b"{}", b'{"format": "other"}', b'{"format":"kine-gateway/tokens/1"}'])
def test_a_damaged_file_is_said_and_opens_nothing(tokens: TokenFile, content: bytes) -> None:
    tokens.add("Audit", Role.AUDITOR, None, now=NOW)
    tokens.path.write_bytes(content)
    with pytest.raises(ConfigError, match="jetons"):
        TokenFile(tokens.path).all()


def test_no_such_token(tokens: TokenFile) -> None:
    with pytest.raises(NotFoundError):
        tokens.revoke("abc", NOW)
