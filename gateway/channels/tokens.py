"""Access tokens (Pro Santé Connect): asked for at each connection, kept nowhere, written nowhere (ECO.1.2.5)."""

from __future__ import annotations

import asyncio
import os
import re
import subprocess
from collections.abc import Callable, Mapping

from gateway.errors import ConfigError, GatewayError
from gateway.settings import AccountSettings, Settings

TokenSource = Callable[[str], str]
"""Account id -> access token, fresh. Raises SessionNeeded when only a person can renew the session; any other
exception means that none is to be had for now. It may block; it is called in a thread of its own."""

SESSION_STATUS = 75
"""Exit status of a token command that says: a person has to log in again (EX_TEMPFAIL of sysexits.h)."""
ACCOUNT_VARIABLE = "KINE_GATEWAY_ACCOUNT"
"""Environment variable that tells a token command for which account it works."""

_BEARER = re.compile(r"[A-Za-z0-9._~+/-]+=*")  # b64token, RFC 6750 §2.1: so nothing in it can end a line
_MAX_TOKEN = 16_384


class SessionNeeded(GatewayError):  # noqa: N818 (it names what is needed, not what went wrong)
    """Only a person can renew the session (card, mobile e-CPS, password): nothing to retry by schedule."""

    def __init__(self, message: str = "La session est à ouvrir de nouveau.") -> None:
        super().__init__("TOK-001", message, "Se reconnecter, puis : kine-gateway session ready COMPTE.")


class TokenUnavailableError(GatewayError):
    """No token for now: what makes them is out of order or out of reach. Time may mend it."""

    def __init__(self, message: str) -> None:
        super().__init__("TOK-002", message, "Lancer token_command à la main pour voir ce qu'il dit.")


def source(settings: Settings, given: TokenSource | None) -> TokenSource | None:
    """Where this gateway's tokens come from: the calling program, else the accounts' `token_command`; None: nowhere."""
    if given is not None:
        return given
    accounts = {account.id: account for account in settings.account if account.token_command}
    return _commands(accounts) if accounts else None


def _commands(accounts: Mapping[str, AccountSettings]) -> TokenSource:
    def ask(account_id: str) -> str:
        account = accounts.get(account_id)
        if account is None:
            raise no_source(account_id)
        return run_command(account.token_command, account_id, account.token_timeout)

    return ask


def no_source(account_id: str) -> ConfigError:
    """The error of an account that wants tokens and has nobody to ask."""
    message = f"Le compte {account_id} demande un jeton (xoauth2) et n'a pas de token_command."
    return ConfigError("TOK-003", message, "Renseigner token_command, ou donner les jetons par le programme appelant.")


def run_command(command: tuple[str, ...], account_id: str, timeout: float) -> str:
    """The token that a program prints. Its error output is read by nobody: it may hold what nobody should keep.

    Raises SessionNeeded (status 75, or no output), TokenUnavailableError, ConfigError (`TOK-004` cannot be run).
    """
    environment = {**os.environ, ACCOUNT_VARIABLE: account_id}
    try:
        run = subprocess.run(  # noqa: S603 (the configuration's own program, without shell)
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            timeout=timeout,
            env=environment,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise TokenUnavailableError(f"token_command n'a pas répondu en {timeout:g} secondes.") from None
    except (OSError, ValueError) as fault:
        message = f"token_command du compte {account_id} ne peut pas être lancé ({type(fault).__name__})."
        raise ConfigError("TOK-004", message, "Vérifier le chemin du programme et ses droits.") from fault
    text = run.stdout.decode("ascii", "replace").strip()
    if run.returncode == SESSION_STATUS or (run.returncode == 0 and not text):
        raise SessionNeeded
    if run.returncode != 0:
        raise TokenUnavailableError(f"token_command s'est terminé avec le statut {run.returncode}.")
    return text


def fetch(source: TokenSource, account_id: str) -> str:
    """A token, held to the form of one. Raises SessionNeeded, TokenUnavailableError, ConfigError; nothing else."""
    try:
        token = str(source(account_id))
    except (SessionNeeded, TokenUnavailableError, ConfigError):
        raise
    except Exception as fault:  # noqa: BLE001 (a caller's own code: whatever it raises is not a token)
        # The type only: a message may quote the token or what it was asked with.
        raise TokenUnavailableError(f"La source de jetons a échoué ({type(fault).__name__}).") from None
    if len(token) > _MAX_TOKEN or not _BEARER.fullmatch(token):
        raise TokenUnavailableError("La source de jetons a rendu autre chose qu'un jeton.")
    return token


async def afetch(source: TokenSource, account_id: str, limit: float) -> str:
    """`fetch` in a thread, for at most `limit` seconds."""
    try:
        return await asyncio.wait_for(asyncio.to_thread(fetch, source, account_id), limit)
    except TimeoutError:
        raise TokenUnavailableError(f"Pas de jeton en {limit:g} secondes.") from None
