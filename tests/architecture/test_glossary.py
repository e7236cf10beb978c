"""docs/glossary.md explains every state, and every abbreviation that two pages use."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

from gateway.store.states import Receipt, Transport

ROOT = Path(__file__).resolve().parents[2]
GLOSSARY = (ROOT / "docs" / "glossary.md").read_text(encoding="utf-8")
GENERATED = {"findings.md", "commands.md", "dependencies.md", "glossary.md", "refusals.md"}
COMMON = frozenset(
    """
    AES API ASCII BOM CA CI CPU CR CRL CSP CSS CSV DER DN DNS DTD EC EHLO EOF FR GCM
    GET HEAD HMAC HTML HTTP HTTPS ID IMAP
    IO IP ISO JAR JSON MB MIME MIT NFC OCSP OK OS PATCH PDF PEM PID PNG POST PSC README RFC RSA SAN SASL SHA SMTP SOAP
    SQL SSL SVG TCP TLS TOML TSA UDP UID URI URL URN UTC UTF UUID WAL XML XSD ZIP
    """.split()  # noqa: SIM905 (a list of words reads better as text)
)
"""What a programmer knows without a glossary."""


def pages() -> dict[str, str]:
    files = [ROOT / "README.md", *(ROOT / "docs").glob("*.md")]
    return {file.name: file.read_text(encoding="utf-8") for file in files if file.name not in GENERATED}


def terms() -> set[str]:
    cells = re.findall(r"^\| ([^|]+) \|", GLOSSARY, re.MULTILINE)
    return {term.strip(" `") for cell in cells for term in re.split(r"[,…]", cell)}


def test_every_state_is_explained() -> None:
    assert {*Transport, *Receipt} - terms() == set()


def test_every_abbreviation_of_two_pages_is_explained() -> None:
    used: Counter[str] = Counter()
    for text in pages().values():
        prose = re.sub(r"```.*?```|`[^`\n]*`|^ {4}.*$", " ", text, flags=re.DOTALL | re.MULTILINE)
        used.update(set(re.findall(r"(?<![\w/.-])[A-Z]{2,6}(?![\w/-])", prose)))
    wanted = {word for word, number in used.items() if number > 1} - COMMON
    assert wanted - terms() == set()


def test_no_term_stands_twice() -> None:
    cells = re.findall(r"^\| ([^|]+) \|", GLOSSARY, re.MULTILINE)
    double = [cell for cell, number in Counter(cells).items() if number > 1 and cell not in {"Term", "State"}]
    assert double == []
