"""What the gateway stands on: Python, OpenSSL, SQLite and the libraries that its package asks for."""

from __future__ import annotations

import re
import sqlite3
import ssl
import sys
from collections.abc import Iterator
from importlib import metadata

from gateway.findings import Finding, Severity, error, warning

SAFE_WAL = (3, 51, 3)
"""From this SQLite on, several processes may write to one WAL file (spec engine §1d)."""
OLDEST_PYTHON, OLDEST_SSL = (3, 11), (3, 0)
"""OpenSSL before 3.0 gets no more corrections (its policy of releases)."""
PACKAGE = "kine-gateway"
_NEEDS = re.compile(r"([A-Za-z0-9._-]+)(?:\[[^]]*\])?\s*(?:\(?[^;]*?>=\s*([0-9.]+))?[^;]*(;.*)?")


def inspect(*, sqlite: bool) -> Iterator[Finding]:
    """`sqlite`: whether the store is on it."""
    if sys.version_info < OLDEST_PYTHON:
        yield error("CFG-149", "/python", f"Python {sys.version.split()[0]} est trop ancien.", "Passer à Python 3.11.")
    if ssl.OPENSSL_VERSION_INFO[:2] < OLDEST_SSL:
        message = f"{ssl.OPENSSL_VERSION} ne reçoit plus de correctifs."
        yield warning("CFG-149", "/python/ssl", message, "Mettre le système ou Python à jour.")
    yield from _libraries()
    if sqlite and sqlite3.sqlite_version_info < SAFE_WAL:
        message = f"SQLite {sqlite3.sqlite_version} : le mode WAL à plusieurs écrivains y est risqué."
        advice = "Rien à faire : la passerelle emploie journal_mode=DELETE et synchronous=EXTRA."
        yield Finding("CFG-108", Severity.INFO, "/store", message, advice, "sqlite.org, wal.html")


def _libraries() -> Iterator[Finding]:
    for name, least in _needed():
        try:
            present = metadata.version(name)
        except metadata.PackageNotFoundError:
            yield error("CFG-149", f"/python/{name}", f"La bibliothèque {name} manque.", "Réinstaller kine-gateway.")
            continue
        if _numbers(present) < _numbers(least):
            message = f"{name} {present} est plus ancien que ce que la passerelle demande ({least})."
            yield error("CFG-149", f"/python/{name}", message, f"pip install --upgrade '{name}>={least}'")


def _needed() -> list[tuple[str, str]]:
    """Libraries that the installed package cannot do without, and their oldest versions; extras are not among them."""
    try:
        lines = metadata.requires(PACKAGE) or []
    except metadata.PackageNotFoundError:  # run from its sources
        return []
    matches = [_NEEDS.fullmatch(line.strip()) for line in lines]
    return [(found[1], found[2] or "0") for found in matches if found is not None and found[3] is None]


def _numbers(version: str) -> tuple[int, ...]:
    """The numbers a version begins with, so that 10 comes after 9; trailing zeros count for nothing."""
    found = [int(one) for one in re.findall(r"\d+", re.split(r"[a-z+-]", version)[0])]
    while found and not found[-1]:
        found.pop()
    return tuple(found)
