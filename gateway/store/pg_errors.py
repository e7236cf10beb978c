"""PostgreSQL's errors as ours, by SQLSTATE alone: a server's message may quote a row."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

from gateway.errors import StoreError

_BUSY = ("STO-006", "La base est occupée.", "Réessayez ; si cela dure, une autre session la tient.")
_FULL = ("STO-007", "Le disque du serveur est plein.", "Libérez de la place : rien n'a été perdu.")
_DAMAGED = ("STO-008", "La base est abîmée.", "Arrêtez la passerelle et restaurez une sauvegarde.")
_GONE = ("STO-010", "Le serveur ne répond pas.", "Rien n'a été changé ; réessayez quand il sera revenu.")
_UNSURE = ("STO-011", "Le serveur n'a pas confirmé.", "Recommencez la même demande : elle ne sera pas faite deux fois.")
_REFUSED = (
    "STO-013",
    "Le serveur refuse l'accès, ou n'est pas celui qui était attendu.",
    "Vérifiez l'utilisateur, son mot de passe, ses droits, et le certificat du serveur (sslrootcert).",
)

_BY_STATE = {
    "40001": _BUSY,
    "40P01": _BUSY,
    "55P03": _BUSY,
    "57014": _BUSY,
    "53300": _BUSY,
    "53100": _FULL,
    "XX001": _DAMAGED,
    "XX002": _DAMAGED,
    "57P01": _GONE,
    "57P02": _GONE,
    "57P03": _GONE,
    "25P03": _GONE,  # we slept inside a transaction, and the server ended it
    "25006": _GONE,  # a standby: the primary is elsewhere by now
    "42501": _REFUSED,
}
_BY_CLASS = {"08": _GONE, "28": _REFUSED}
# A connection that cannot be made has no SQLSTATE, only words: those by which a server that is there says no, or TLS
# does. TLS also tells of a peer that went away, now or later: that refuses nothing.
_LOST = r"SYSCALL|connection has been closed|error: unexpected eof"
_NO = rf"authentication|pg_hba|certificate|SSL(?! (?:{_LOST}))|does not exist|no password"
_REFUSAL = re.compile(rf"connection (?:failed|is bad): .*(?:{_NO})", re.IGNORECASE | re.DOTALL)
_CRASHED = {"FATAL", "PANIC"}
"""How grave an error is that ends the server's process, whatever its SQLSTATE: a COMMIT may be in the WAL by then."""


@contextmanager
def translated(place: str, *, committing: bool = False) -> Iterator[None]:
    """psycopg's errors as StoreError; a broken constraint is a fault of ours and stays what it is.

    `committing`: when the connection is lost now, or its server process, nobody knows whether it committed (STO-011).
    """
    import psycopg

    try:
        yield
    except (psycopg.IntegrityError, psycopg.ProgrammingError, psycopg.DataError) as error:
        if error.sqlstate != "42501":
            raise
        raise _told(_REFUSED, place) from error
    except psycopg.Error as error:
        raise _told(_meaning(error, committing), place) from error


def _meaning(error: Exception, committing: bool) -> tuple[str, str, str]:
    state = getattr(error, "sqlstate", None)
    if state is None:  # libpq itself: no connection, or not any more
        found = _REFUSED if _REFUSAL.search(str(error)) else _GONE
    else:
        unknown = ("STO-005", f"Base inutilisable (SQLSTATE {state}).", "")
        found = _BY_STATE.get(state) or _BY_CLASS.get(state[:2]) or unknown
    crashed = getattr(getattr(error, "diag", None), "severity_nonlocalized", None) in _CRASHED
    return _UNSURE if committing and (found is _GONE or crashed) else found


def _told(said: tuple[str, str, str], place: str) -> StoreError:
    code, message, advice = said
    return StoreError(code, f"{place} : {message}", advice)
