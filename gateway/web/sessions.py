"""Sessions of the audit pages: a random cookie in the browser, everything else in the memory of this process.

A session ends after half an hour without use, after twelve hours, when its token is revoked or expires, and with the
process. Only the hash of the cookie is kept: a dump of the memory opens nothing.
"""

from __future__ import annotations

import secrets
import threading
from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING

from gateway.web.tokens import Role

if TYPE_CHECKING:
    from gateway.clock import Clock
    from gateway.web.tokens import Token, TokenFile

IDLE_SECONDS = 30 * 60.0
LONGEST_SECONDS = 12 * 3600.0
MOST = 1000
"""Sessions kept at once; the oldest gives way."""
PAGES = frozenset({Role.AUDITOR, Role.PRACTICE})
"""Roles that open the pages; a vendor's token opens the API alone."""


@dataclass(slots=True)
class Session:
    """Somebody who is logged in. `token` is as it was at the last look; `csrf` goes with every form."""

    token: Token
    csrf: str
    began: float
    used: float

    @property
    def account(self) -> str | None:
        """The only account that this session may see; None: every one (auditor)."""
        return self.token.account

    @property
    def may_act(self) -> bool:
        """Whether it may retry, hold, release, cancel and hand over."""
        return self.token.role is Role.PRACTICE


class Sessions:
    """The sessions of one process. Safe from any thread."""

    def __init__(self, tokens: TokenFile, clock: Clock) -> None:
        self._tokens = tokens
        self._clock = clock
        self._lock = threading.Lock()
        self._open: dict[str, Session] = {}

    def begin(self, secret: str) -> tuple[str, Session] | None:
        """Log in with a token. Returns the cookie's value and the session; None: it opens no page.

        Raises ConfigError (WEB-001), StoreError (SEA-003): the file of tokens cannot be used.
        """
        token = self._tokens.find(secret.strip(), self._clock.now())
        if token is None or token.role not in PAGES:
            return None
        name, now = secrets.token_urlsafe(32), self._clock.elapsed()
        session = Session(token, secrets.token_urlsafe(24), now, now)
        with self._lock:
            self._forget(now)
            self._open[_digest(name)] = session
        return name, session

    def find(self, name: str | None) -> Session | None:
        """The session of a cookie, its token looked at again; None: log in."""
        if not name:
            return None
        now = self._clock.elapsed()
        with self._lock:
            self._forget(now)
            session = self._open.get(_digest(name))
        if session is None:
            return None
        at = self._clock.now()
        token = next((one for one in self._tokens.all() if one.id == session.token.id and one.valid(at)), None)
        if token is None:
            self.end(name)
            return None
        session.token, session.used = token, now
        return session

    def end(self, name: str) -> None:
        """Log out."""
        with self._lock:
            self._open.pop(_digest(name), None)

    def _forget(self, now: float) -> None:
        for key, session in list(self._open.items()):
            if now - session.used > IDLE_SECONDS or now - session.began > LONGEST_SECONDS:
                del self._open[key]
        while len(self._open) >= MOST:
            del self._open[next(iter(self._open))]


def _digest(name: str) -> str:
    return sha256(name.encode("utf-8", "surrogatepass")).hexdigest()
