"""Who calls, and what for: bearer tokens (RFC 6750), their role and their account."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, cast

from fastapi import Depends, Header, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from gateway.api import Gateway
from gateway.errors import NotFoundError
from gateway.web.api.limits import RateLimit
from gateway.web.api.problems import RefusedError
from gateway.web.api.replay import Replays
from gateway.web.tokens import Role, Token, TokenFile

_CHALLENGE = {"WWW-Authenticate": 'Bearer realm="kine-gateway"'}
bearer = HTTPBearer(
    auto_error=False, scheme_name="token", description="A token of `kine-gateway token add` (docs/http-api.md)."
)


@dataclass(frozen=True, slots=True)
class Desk:
    """What every operation is given."""

    gateway: Gateway
    tokens: TokenFile
    rate: RateLimit
    replays: Replays


@dataclass(frozen=True, slots=True)
class Caller:
    """A request with a valid token."""

    token: Token
    desk: Desk

    @property
    def gateway(self) -> Gateway:
        """The library."""
        return self.desk.gateway

    @property
    def account(self) -> str | None:
        """The one account that this caller sees; None: all of them (an auditor)."""
        return self.token.account

    @property
    def sees_content(self) -> bool:
        """Whether documents and people's own words may be shown: never to an auditor."""
        return self.token.role is not Role.AUDITOR

    def own(self, account: str) -> bool:
        """Whether this account is the caller's."""
        return self.account in {None, account}

    def account_for(self, asked: str | None) -> str:
        """The account of a question; an auditor names it. Raises RefusedError, NotFoundError (WEB-406)."""
        if asked is None and self.account is None:
            raise RefusedError(422, "WEB-423", "De quel compte s'agit-il ?", "Ajouter ?account=... à la requête.")
        account = asked or self.account or ""
        if not self.own(account) or self.gateway.settings.find_account(account) is None:
            raise NotFoundError("WEB-406", "Aucun compte de ce nom pour ce jeton.", "Voir /v1/accounts.")
        return account


def desk_of(request: Request) -> Desk:
    """What the application was made with."""
    return cast("Desk", request.app.state.desk)


def _require(*roles: Role) -> Callable[..., Caller]:
    def caller(
        request: Request, credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(bearer)]
    ) -> Caller:
        desk = desk_of(request)
        token = None if credentials is None else desk.tokens.find(credentials.credentials, desk.gateway.clock.now())
        if token is None:
            _count(desk, f"?{request.client.host if request.client else ''}")
            advice = "Donner un jeton en vigueur : Authorization: Bearer kg_... (kine-gateway token add)."
            raise RefusedError(401, "WEB-401", "Jeton absent, inconnu, retiré ou expiré.", advice, headers=_CHALLENGE)
        request.scope["state"]["token"] = token.id
        _count(desk, token.id)
        if token.role not in roles:
            advice = "Employer un jeton du rôle " + " ou ".join(roles) + "."
            raise RefusedError(403, "WEB-403", f"Le rôle {token.role} ne permet pas cette opération.", advice)
        return Caller(token, desk)

    return caller


def _count(desk: Desk, caller: str) -> None:
    wait = desk.rate.take(caller)
    if wait:
        message, advice = "Trop de requêtes.", "Attendre le temps que dit Retry-After ([web] requests_per_minute)."
        raise RefusedError(429, "WEB-429", message, advice, headers={"Retry-After": str(math.ceil(wait))})


Anyone = Annotated[Caller, Depends(_require(Role.VENDOR, Role.PRACTICE, Role.AUDITOR))]
"""Reads states, codes and times."""
Staff = Annotated[Caller, Depends(_require(Role.VENDOR, Role.PRACTICE))]
"""Reads content and decides, for one account."""
Vendor = Annotated[Caller, Depends(_require(Role.VENDOR))]
"""Hands documents in, asks the services, for one account."""
Auditor = Annotated[Caller, Depends(_require(Role.AUDITOR))]
"""Reads the whole journal."""

IdempotencyKey = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        min_length=1,
        max_length=255,
        pattern=r"^[!-~]([ -~]*[!-~])?$",
        description="Same key and same content: the same answer, done once. Same key, other content: 409.",
    ),
]
