"""Who may use the pages and the API: tokens in a private file, as hashes only.

A token is 32 random bytes, so its SHA-256 cannot be searched for and needs no slow hash; it is shown once, when it is
made. The file is read again when it changes: a revocation is in force with the next request.
"""

from __future__ import annotations

import hmac
import json
import re
import secrets
from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from enum import StrEnum
from hashlib import sha256
from pathlib import Path

from gateway import platform
from gateway.errors import ConfigError, NotFoundError
from gateway.store.sealing import read_secret

FORMAT = "kine-gateway/tokens/1"
_SHA256 = re.compile(r"[0-9a-f]{64}")
PREFIX = "kg_"
"""What a token starts with, so that one left in a file is recognised for what it is."""


class Role(StrEnum):
    """What a token opens."""

    AUDITOR = "auditor"
    """Every account, read only: pseudonyms, codes, times and hashes; no clinical content, no identity."""
    PRACTICE = "practice"
    """The pages of its own account; may retry, hold, release, cancel and hand over."""
    VENDOR = "vendor"
    """The API of its own account: submits and follows documents."""


@dataclass(frozen=True, slots=True)
class Token:
    """A token as the file keeps it. `account` is None for an auditor alone; `expires` None: never."""

    id: str
    name: str
    role: Role
    account: str | None
    sha256: str
    created: datetime
    expires: datetime | None = None
    revoked: datetime | None = None

    def valid(self, now: datetime) -> bool:
        """Whether it opens anything at this time."""
        return self.revoked is None and (self.expires is None or now < self.expires)

    def as_dict(self) -> dict[str, str | None]:
        """JSON-ready, without the hash."""
        times = {key: None if at is None else at.isoformat() for key, at in self._times().items()}
        return {"id": self.id, "name": self.name, "role": self.role.value, "account": self.account, **times}

    def _times(self) -> dict[str, datetime | None]:
        return {"created": self.created, "expires": self.expires, "revoked": self.revoked}


class TokenFile:
    """The tokens of one gateway. Several processes may read it; making and revoking hold a lock."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._read: tuple[tuple[int, int, int], tuple[Token, ...]] | None = None

    def all(self) -> tuple[Token, ...]:
        """Every token, in the order they were made. Raises ConfigError (WEB-001), StoreError (SEA-003)."""
        try:
            found = self.path.stat()
        except FileNotFoundError:
            return ()
        stamp = (found.st_ino, found.st_size, found.st_mtime_ns)
        if self._read is None or self._read[0] != stamp:
            self._read = (stamp, _parse(self.path))
        return self._read[1]

    def find(self, secret: str, now: datetime) -> Token | None:
        """The valid token that this secret opens. Compares in constant time, and with every token."""
        digest, found = _digest(secret), None
        for token in self.all():
            if hmac.compare_digest(token.sha256, digest) and token.valid(now):
                found = token
        return found

    def add(
        self, name: str, role: Role, account: str | None, *, now: datetime, expires: datetime | None = None
    ) -> tuple[str, Token]:
        """Make a token. Returns the secret, which nobody can show again, and what was kept of it.

        Raises ConfigError (WEB-002): an auditor has no account, the others have one; WEB-003: no name.
        """
        if (role is Role.AUDITOR) != (account is None):
            advice = "Donner --account, sauf pour le rôle auditor."
            raise ConfigError("WEB-002", "Ce rôle et ce compte ne vont pas ensemble.", advice)
        if not name.strip() or not name.isprintable() or len(name) > 100:
            raise ConfigError("WEB-003", "Nom du jeton absent ou illisible.", "Dire à qui il est donné, sur une ligne.")
        secret = PREFIX + secrets.token_urlsafe(32)
        token = Token(secrets.token_hex(6), name.strip(), role, account, _digest(secret), now, expires)
        with platform.exclusive_lock(self._lock()):
            self._write((*self.all(), token))
        return secret, token

    def revoke(self, token_id: str, now: datetime) -> Token:
        """End a token; it stays listed. Raises NotFoundError (WEB-404)."""
        with platform.exclusive_lock(self._lock()):
            tokens = self.all()
            mine = next((token for token in tokens if token.id == token_id), None)
            if mine is None:
                raise NotFoundError("WEB-404", f"Aucun jeton {token_id}.", "Voir `kine-gateway token list`.")
            ended = mine if mine.revoked else replace(mine, revoked=now)
            self._write(ended if token.id == token_id else token for token in tokens)
        return ended

    def _lock(self) -> Path:
        if not self.path.parent.exists():
            platform.make_private_dir(self.path.parent)
        return self.path.with_suffix(".lock")

    def _write(self, tokens: Iterable[Token]) -> None:
        value = {"format": FORMAT, "tokens": [asdict(token) for token in tokens]}
        text = json.dumps(value, indent=1, ensure_ascii=False, default=datetime.isoformat)
        platform.write_atomic(self.path, text.encode())


def _digest(secret: str) -> str:
    return sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()


def _parse(path: Path) -> tuple[Token, ...]:
    return parse(read_secret(path), path)


def parse(data: bytes, path: Path) -> tuple[Token, ...]:
    """The tokens of a file's content. Raises ConfigError (WEB-001)."""
    try:
        value = json.loads(data)
        if value["format"] != FORMAT:
            raise ValueError("unknown format")
        return tuple(_token(item) for item in value["tokens"])
    except (ValueError, KeyError, TypeError, RecursionError) as fault:
        message = f"{path} n'est pas un fichier de jetons."
        raise ConfigError("WEB-001", message, "Le restaurer, ou le supprimer et refaire des jetons.") from fault


def _token(item: dict[str, str | None]) -> Token:
    def text(key: str) -> str:
        return str(item[key] or "")

    def time(key: str) -> datetime | None:
        value = item[key]
        return None if value is None else _instant(value)

    role, created = Role(text("role")), _instant(text("created"))
    if not _SHA256.fullmatch(text("sha256")):
        raise ValueError("not a digest")
    about = (text("id"), text("name"), role, item["account"], text("sha256"), created)
    return Token(*about, expires=time("expires"), revoked=time("revoked"))


def _instant(text: str) -> datetime:
    found = datetime.fromisoformat(text)
    if found.tzinfo is None:
        raise ValueError("a time without its zone")
    return found
