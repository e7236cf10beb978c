from __future__ import annotations

import datetime as dt
from pathlib import Path

import pytest

from gateway.errors import ConfigError
from gateway.resources import data_path
from gateway.rules import trust_space

HEADER = "# source: ANS, liste blanche\n# date: 2026-11-01\n"


def write(folder: Path, text: str) -> Path:
    path = folder / "trust.txt"
    path.write_bytes(text.encode())
    return path


def test_a_list_is_read_with_its_source_and_date(tmp_path: Path) -> None:
    found = trust_space.load(write(tmp_path, f"{HEADER}\n# remarque\nmedecin.mssante.fr\r\n  apicrypt.org \n"))
    assert found.domains == {"medecin.mssante.fr", "apicrypt.org"}
    assert found.date == dt.date(2026, 11, 1)
    assert found.source == "ANS, liste blanche"


def test_the_shipped_example_loads() -> None:
    found = trust_space.load(data_path("config", "trust-space.example.txt"))
    assert "patient.mssante.fr" in found.domains


@pytest.mark.parametrize(
    "line",
    [
        "Medecin.mssante.fr",
        "médecin.mssante.fr",
        "xn--mdecin-bva.mssante.fr",
        "mssante",
        "mssante.fr.",
        ".mssante.fr",
        "*.mssante.fr",
        "a b.fr",
        "x@mssante.fr",
        "http://mssante.fr",
        "-a.fr",
        "a-.fr",
        "a..fr",
        f"{'a' * 64}.fr",
        "a." * 130 + "fr",
    ],
)
def test_a_line_that_is_no_domain_is_refused_with_its_number(tmp_path: Path, line: str) -> None:
    with pytest.raises(ConfigError, match="ligne 4") as caught:
        trust_space.load(write(tmp_path, f"{HEADER}mssante.fr\n{line}\n"))
    assert caught.value.code == "TRS-003"


@pytest.mark.parametrize("separator", ["\u2028", "\u0085", "\v", "\f"])
def test_a_domain_cannot_hide_in_a_comment(tmp_path: Path, separator: str) -> None:
    found = trust_space.load(write(tmp_path, f"{HEADER}# note{separator}gmail.com\nmssante.fr\n"))
    assert found.domains == {"mssante.fr"}


@pytest.mark.parametrize(
    "header",
    ["", "# source: ANS\n", "# date: 2026-11-01\n", "# source: ANS\n# date: hier\n", "# source:\n# date: 2026-11-01\n"],
)
def test_a_list_must_say_whence_and_when(tmp_path: Path, header: str) -> None:
    with pytest.raises(ConfigError) as caught:
        trust_space.load(write(tmp_path, f"{header}mssante.fr\n"))
    assert caught.value.code == "TRS-002"


def test_an_empty_list_and_an_absent_file(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        trust_space.load(write(tmp_path, HEADER))
    assert caught.value.code == "TRS-004"
    (tmp_path / "utf16").write_bytes("# source".encode("utf-16"))
    for path in (tmp_path / "absent", tmp_path, tmp_path / "utf16"):
        with pytest.raises(ConfigError) as caught:
            trust_space.load(path)
        assert caught.value.code == "TRS-001"


@pytest.mark.parametrize(
    ("address", "allowed"),
    [
        ("a@medecin.mssante.fr", True),
        ("a@Medecin.MSSante.FR", True),
        ("a@sub.medecin.mssante.fr", False),
        ("a@medecin.mssante.fr.evil.com", False),
        ("a@gmail.com", False),
        ("a@\u212aine.mssante.fr", False),
        ("medecin.mssante.fr", False),
        ("a@b@medecin.mssante.fr", True),
        ("a@medecin.mssante.fr@gmail.com", False),
        ("", False),
    ],
)
def test_only_listed_domains_are_allowed(tmp_path: Path, address: str, *, allowed: bool) -> None:
    found = trust_space.load(write(tmp_path, f"{HEADER}medecin.mssante.fr\nkine.mssante.fr\n"))
    assert found.allows(address) is allowed


@pytest.mark.parametrize(
    ("today", "stale"), [("2026-11-01", False), ("2026-12-01", False), ("2026-12-02", True), ("2026-10-31", True)]
)
def test_an_old_list_warns(tmp_path: Path, today: str, *, stale: bool) -> None:
    found = trust_space.load(write(tmp_path, f"{HEADER}mssante.fr\n"))
    assert [f.code for f in trust_space.staleness(found, dt.date.fromisoformat(today))] == (
        ["TRS-005"] if stale else []
    )


@pytest.mark.parametrize(("length", "loads"), [(253, True), (254, False)])
def test_the_longest_domain(tmp_path: Path, length: int, *, loads: bool) -> None:
    domain = ("a" * 50 + ".") * 4 + "b" * 44 + ".fr"
    domain += "x" * (length - len(domain)) if length > len(domain) else ""
    domain = domain[:length]
    assert len(domain) == length
    path = write(tmp_path, f"{HEADER}{domain}\n")
    if loads:
        assert trust_space.load(path).domains == {domain}
    else:
        with pytest.raises(ConfigError):
            trust_space.load(path)


def test_what_is_said_of_an_old_and_of_a_future_list() -> None:
    listed = trust_space.TrustList(frozenset({"mssante.fr"}), dt.date(2026, 11, 1), "ANS")
    (old,) = trust_space.staleness(listed, dt.date(2026, 12, 31))
    (future,) = trust_space.staleness(listed, dt.date(2026, 10, 31))
    assert "60 jours" in old.message
    assert "futur" in future.message
