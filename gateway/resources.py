"""Finds the data that ships with the gateway: mappings, configuration examples, demo fixtures.

The same three folders lie in two places: inside the package in a wheel (`gateway/_data/...`), beside the
package in a source tree. An editable install is the trap: the build backend copies `_data` next to the
installed metadata, but the package itself resolves to the source tree, where the sibling folders are the
ones being edited. So only what lies relative to this file is looked at.
"""

from __future__ import annotations

import os
from pathlib import Path, PurePosixPath

from gateway.errors import ConfigError

MAPPINGS_VARIABLE = "KINE_GATEWAY_MAPPINGS"
"""Environment variable naming a folder that replaces the shipped `mappings/` as a whole."""

_PACKAGE = Path(__file__).resolve().parent
_FOLDERS = frozenset({"mappings", "config", "fixtures"})


def data_path(*parts: str) -> Path:
    """Path of a shipped file or folder: `data_path("mappings", "manifest.toml")`.

    The first part is `mappings`, `config` or `fixtures`. In a wheel, of the fixtures only `demo` is there.

    Raises:
        ConfigError: `RES-001` nothing of that name is shipped, `RES-002` the override folder does not exist,
            `RES-003` the name leaves the data folders.
    """
    relative = _checked(parts)
    path = _root(relative.parts[0]).joinpath(*relative.parts[1:])
    if not path.exists():
        raise ConfigError(
            "RES-001",
            f"Fichier de données absent : {relative}.",
            f"Réinstallez la passerelle, ou corrigez {MAPPINGS_VARIABLE} si cette variable est définie.",
        )
    return path


def read_bytes(*parts: str) -> bytes:
    """Content of a shipped file. Raises like `data_path`."""
    return data_path(*parts).read_bytes()


def read_text(*parts: str) -> str:
    """Text of a shipped file, which is always UTF-8. Raises like `data_path`."""
    return data_path(*parts).read_text(encoding="utf-8")


def _checked(parts: tuple[str, ...]) -> PurePosixPath:
    relative = PurePosixPath(*parts)
    tokens = relative.parts
    if not tokens or tokens[0] not in _FOLDERS or ".." in tokens or any("\\" in t or ":" in t for t in tokens):
        raise ConfigError("RES-003", f"Nom de donnée refusé : {relative}.")
    return relative


def _root(folder: str) -> Path:
    override = os.environ.get(MAPPINGS_VARIABLE) if folder == "mappings" else None
    if override:
        return _override(Path(override))
    packaged = _PACKAGE / "_data"
    # In a source tree a stray `_data` (left by a build) must not win over the files being edited.
    in_source_tree = (_PACKAGE.parent / "pyproject.toml").is_file()
    base = packaged if packaged.is_dir() and not in_source_tree else _PACKAGE.parent
    return base / folder


def _override(path: Path) -> Path:
    if not path.is_dir():
        raise ConfigError(
            "RES-002",
            f"Le dossier indiqué par {MAPPINGS_VARIABLE} n'existe pas : {path}.",
            "Corrigez la variable d'environnement ou supprimez-la.",
        )
    return path
