"""The MSSanté trust space: the domains that mail may go to, in a file that says where it comes from and when.

Operators exchange only with the domains of the ANS list; a typing error towards any other domain is a data
breach, so it is refused before a connection is opened (spec mssante §4, L1110-4 and L1111-8 CSP).
"""

from __future__ import annotations

import datetime as dt
import re
from dataclasses import dataclass
from pathlib import Path

from gateway.errors import ConfigError
from gateway.findings import Finding, warning

MAX_AGE_DAYS = 30
"""A list older than that is used, with a warning: operators join and leave the trust space."""

_HEADER = re.compile(r"#\s*(source|date)\s*:\s*(.*)")
_LABEL = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
_DOMAIN = re.compile(rf"{_LABEL}(?:\.{_LABEL})+")
_FORMAT = (
    "Première partie : « # source: ... » et « # date: AAAA-MM-JJ » ; puis un domaine par ligne, en minuscules "
    "(modèle : config/trust-space.example.txt)."
)


@dataclass(frozen=True, slots=True)
class TrustList:
    """The domains, the day the list was made and who made it."""

    domains: frozenset[str]
    date: dt.date
    source: str

    def allows(self, address: str) -> bool:
        """Whether the domain of a mail address is listed, exactly: a subdomain is another operator's affair."""
        _, at, domain = address.rpartition("@")
        # Lower-casing some letters outside ASCII (the Kelvin sign) yields ASCII ones: another domain would pass.
        return bool(at) and domain.isascii() and domain.lower() in self.domains


def load(path: Path) -> TrustList:
    """Read the list.

    Raises ConfigError: TRS-001 unreadable file, TRS-002 no source or no date, TRS-003 a line that is no domain
    (an internationalised name is refused: look-alike letters make look-alike domains), TRS-004 no domain.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as fault:
        message = f"Liste de l'espace de confiance illisible : {path}."
        raise ConfigError("TRS-001", message, "Vérifier le chemin, les droits et le codage UTF-8.") from fault
    source, date = _header(text, path)
    domains = frozenset(_domains(text, path))
    if not domains:
        raise ConfigError("TRS-004", f"{path} ne contient aucun domaine : aucun courriel ne pourrait partir.", _FORMAT)
    return TrustList(domains, date, source)


def _header(text: str, path: Path) -> tuple[str, dt.date]:
    found: dict[str, str] = {}
    for line in _lines(text):
        match = _HEADER.match(line)
        if match and match[2].strip():
            found.setdefault(match[1], match[2].strip())
    try:
        return found["source"], dt.date.fromisoformat(found["date"])
    except (KeyError, ValueError) as fault:
        raise ConfigError("TRS-002", f"{path} ne dit pas sa source ou sa date.", _FORMAT) from fault


def _domains(text: str, path: Path) -> list[str]:
    found = []
    for number, domain in enumerate(_lines(text), start=1):
        if not domain or domain.startswith("#"):
            continue
        if not _is_domain(domain):
            raise ConfigError("TRS-003", f"{path}, ligne {number} : ce n'est pas un domaine permis.", _FORMAT)
        found.append(domain)
    return found


def _lines(text: str) -> list[str]:
    # Not splitlines(): it also breaks at invisible separators, and what reads as a comment would be a domain.
    return [line.strip(" \t\r") for line in text.split("\n")]


def _is_domain(text: str) -> bool:
    encoded = any(label.startswith("xn--") for label in text.split("."))
    return len(text) <= 253 and not encoded and _DOMAIN.fullmatch(text) is not None


def staleness(trust: TrustList, today: dt.date, max_age_days: int = MAX_AGE_DAYS) -> list[Finding]:
    """A warning when the list is older than `max_age_days`, or dated in the future."""
    age = (today - trust.date).days
    if 0 <= age <= max_age_days:
        return []
    message = f"La liste de l'espace de confiance date de {age} jours." if age > 0 else "Liste datée du futur."
    advice = "Remplacer le fichier par la liste blanche que publie l'ANS."
    return [warning("TRS-005", "", message, advice, "espace de confiance MSSanté")]
