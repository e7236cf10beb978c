"""Pins of a kit: one hash over the names and contents of all its files, so that a changed kit is noticed."""

from __future__ import annotations

import hashlib
from pathlib import Path

from gateway.errors import ConfigError


def pin_of(folder: Path) -> str:
    """SHA-256 of the sorted list `<sha256 of the file>  <path>\\n` of a folder, in hexadecimal.

    It is what `sha256sum` over the same list gives, so anybody can recompute it. Raises ConfigError `KIT-005`
    when the folder cannot be read or holds no file.
    """
    try:
        files = sorted((path.relative_to(folder).as_posix(), path) for path in folder.rglob("*") if path.is_file())
        lines = [f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {name}\n" for name, path in files]
    except OSError as fault:
        message = f"Le dossier du kit est illisible : {folder}."
        raise ConfigError("KIT-005", message, "Vérifier le chemin et les droits.") from fault
    if not lines:
        advice = "Indiquez le dossier du kit de test CDA de l'ANS (TestContenuCDA)."
        raise ConfigError("KIT-005", f"Le dossier du kit est vide ou absent : {folder}.", advice)
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def verify(folder: Path, expected: str) -> None:
    """Raise ConfigError `KIT-006` when the folder is no longer the one that was pinned."""
    if pin_of(folder) != expected:
        message = f"Le kit a changé depuis qu'il a été épinglé : {folder}."
        advice = "Remettre la copie d'origine, ou refaire l'empreinte : kine-gateway validate --pin DOSSIER."
        raise ConfigError("KIT-006", message, advice)
