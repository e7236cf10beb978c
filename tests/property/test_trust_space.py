"""Whatever the file, the trust list either loads with plain lower-case domains or is refused with a code."""

from __future__ import annotations

import tempfile
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import ConfigError
from gateway.rules import trust_space

HEADER = "# source: essai\n# date: 2026-11-01\nmedecin.mssante.fr\n"
_CHARACTERS = st.characters(blacklist_categories=("Cs",))
_LINES = st.one_of(
    st.text(_CHARACTERS, max_size=30),
    st.from_regex(r"[a-z0-9.-]{1,40}", fullmatch=True),
    st.sampled_from(["# date: 2031-13-01", "#", "# source:", "xn--a.fr", "GMAIL.com", "gmail.com\u2028", "\ufeffa.fr"]),
)


def loaded(data: bytes) -> trust_space.TrustList | str:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "trust.txt"
        path.write_bytes(data)
        try:
            return trust_space.load(path)
        except ConfigError as fault:
            return fault.code if fault.advice else "no advice"


def plain(domain: str) -> bool:
    labels = domain.split(".")
    return domain == domain.lower() and domain.isascii() and len(labels) > 1 and all(labels) and len(domain) <= 253


@given(st.binary(max_size=120))
def test_any_bytes(data: bytes) -> None:
    found = loaded(data)
    assert found in {"TRS-001", "TRS-002", "TRS-003", "TRS-004"} if isinstance(found, str) else found.domains


@given(st.lists(_LINES, max_size=6))
def test_any_lines(lines: list[str]) -> None:
    found = loaded((HEADER + "\n".join(lines)).encode())
    if isinstance(found, str):
        assert found in {"TRS-002", "TRS-003"}
        return
    assert "medecin.mssante.fr" in found.domains
    assert all(plain(domain) and "xn--" not in domain for domain in found.domains)
    # No domain but one that stands alone on a line of its own.
    written = {line.strip() for line in (HEADER + "\n".join(lines)).split("\n")}
    assert found.domains <= written


@given(st.text(_CHARACTERS, max_size=40), st.text(_CHARACTERS, max_size=20))
def test_no_address_but_at_a_listed_domain_is_allowed(local: str, tail: str) -> None:
    found = loaded(HEADER.encode())
    assert isinstance(found, trust_space.TrustList)
    for address in (f"{local}@medecin.mssante.fr{tail}", f"{local}{tail}", f"{local}@{tail}medecin.mssante.fr"):
        if found.allows(address):
            assert address.rpartition("@")[2].lower() == "medecin.mssante.fr"
