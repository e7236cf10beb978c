"""Reading the configuration, and showing it: one TOML file, errors by key, no value repeated."""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from gateway.errors import ConfigError
from gateway.settings.tree import Settings

ENV_CONFIG = "KINE_GATEWAY_CONFIG"


def load(path: Path | None = None) -> Settings:
    """Read settings from `path`, else from the file that `KINE_GATEWAY_CONFIG` names.

    Raises ConfigError (CFG-001 no file, CFG-002 not TOML, CFG-003 refused values, each by its key, no value repeated).
    """
    file = path or _from_environment()
    try:
        table = tomllib.loads(file.read_text(encoding="utf-8-sig"))
    except (OSError, ValueError, RecursionError) as fault:
        raise _unreadable(file, fault) from fault
    try:
        return Settings.model_validate(_absolute(table, file.resolve().parent))
    except ValidationError as fault:
        lines = [f"{key_of(detail['loc'])} : {_said(detail)}" for detail in fault.errors(include_url=False)]
        raise ConfigError("CFG-003", f"{file} : " + " ; ".join(lines) + ".", _MODEL) from fault


_MODEL = "Modèle commenté : config/gateway.example.toml."


def _unreadable(file: Path, fault: Exception) -> ConfigError:
    if isinstance(fault, OSError):
        return ConfigError("CFG-001", f"Configuration illisible : {file}.", "Vérifier le chemin et les droits.")
    if isinstance(fault, tomllib.TOMLDecodeError):
        where = re.search(r"line (\d+), column (\d+)", str(fault))  # the place alone: the text may hold a value
        line = f"ligne {where[1]}, colonne {where[2]}" if where else "fin du fichier"
        return ConfigError("CFG-002", f"{file} n'est pas un TOML valable ({line}).", _MODEL)
    return ConfigError("CFG-002", f"{file} n'est pas un TOML valable en UTF-8.", _MODEL)


_SAID: Mapping[str, str] = {
    "extra_forbidden": "clé inconnue",
    "missing": "clé obligatoire absente",
    "string_pattern_mismatch": "forme inattendue",
    "string_type": "un texte entre guillemets est attendu",
    "path_type": "un chemin entre guillemets est attendu",
    "literal_error": "valeurs permises : {expected}",
    "enum": "valeurs permises : {expected}",
    "greater_than": "doit dépasser {gt}",
    "greater_than_equal": "au moins {ge}",
    "less_than_equal": "au plus {le}",
    "finite_number": "un nombre fini est attendu",
    "int_parsing": "un nombre entier est attendu",
    "int_type": "un nombre entier est attendu",
    "int_from_float": "un nombre entier est attendu",
    "float_parsing": "un nombre est attendu",
    "float_type": "un nombre est attendu",
    "bool_parsing": "true ou false est attendu",
    "bool_type": "true ou false est attendu",
    "date_type": "une date sans guillemets est attendue, par exemple 2025-06-08",
    "tuple_type": "une liste est attendue",
    "too_short": "au moins {min_length} élément",
    "model_type": "une table est attendue",
    "model_attributes_type": "une table est attendue",
    "value_error": "{error}",
}


def _said(detail: ErrorDetails) -> str:
    return _SAID.get(detail["type"], "valeur refusée").format_map(detail.get("ctx", {}))


def key_of(steps: tuple[int | str, ...]) -> str:
    """The key as it is spoken of: `account[0].smtp.port`."""
    text = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in steps)
    return text.removeprefix(".") or "configuration"


def redacted(settings: Settings) -> dict[str, dict[str, Any]]:
    """Every value in force by key, with its origin (`fichier` or `défaut`). A password in a URL is masked."""
    return {key_of(steps): {"value": _masked(value), "origin": origin} for steps, value, origin in _walk(settings, ())}


def _walk(value: Any, steps: tuple[int | str, ...], origin: str = "fichier") -> Iterator[tuple[Any, Any, str]]:
    if isinstance(value, BaseModel):
        for name in type(value).model_fields:
            given = "fichier" if name in value.model_fields_set and origin == "fichier" else "défaut"
            yield from _walk(getattr(value, name), (*steps, name), given)
    elif isinstance(value, tuple) and value and isinstance(value[0], BaseModel):
        for place, inner in enumerate(value):
            yield from _walk(inner, (*steps, place), origin)
    else:
        yield steps, value, origin


def _masked(value: Any) -> Any:
    if isinstance(value, str):
        return re.sub(r"(?<=://)([^/@\s]*):[^/@\s]*@", r"\1:***@", value)
    if isinstance(value, tuple):
        return list(value)
    return value if isinstance(value, bool | int | float | None) else str(value)


def _from_environment() -> Path:
    name = os.environ.get(ENV_CONFIG)
    if not name:
        raise ConfigError(
            "CFG-001",
            "Aucune configuration.",
            f"Donner --config FICHIER ou la variable {ENV_CONFIG} (modèle : config/gateway.example.toml).",
        )
    return Path(name)


_PATH_KEYS = {
    "ca_file",
    "tokens_file",
    "roots_file",
    "cert_file",
    "key_file",
    "crl_file",
    "password_file",
    "secret_file",
    "sign_cert_file",
    "sign_key_file",
    "pkcs12_file",
    "pkcs12_password_file",
    "sign_pkcs12_file",
    "sign_pkcs12_password_file",
    "dir",
    "file",
    "checkpoint_dir",
    "outbox",
    "path",
}


def _absolute(value: Any, base: Path) -> Any:
    """Relative paths (and the path in `store.url`) made absolute from the configuration's folder."""
    if isinstance(value, dict):
        return {key: _path(key, inner, base) for key, inner in value.items()}
    if isinstance(value, list):
        return [_absolute(inner, base) for inner in value]
    return value


def _path(key: str, value: Any, base: Path) -> Any:
    if key in _PATH_KEYS and isinstance(value, str):
        return str(base / _home(value))
    if key == "url" and isinstance(value, str) and value.startswith("sqlite:///"):
        return f"sqlite:///{base / value.removeprefix('sqlite:///')}"
    return _absolute(value, base)


def _home(value: str) -> Path:
    try:
        return Path(value).expanduser()
    except RuntimeError:  # `~stranger`: no such user, so a folder of that name
        return Path(value)
