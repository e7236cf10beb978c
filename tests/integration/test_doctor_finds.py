"""Each thing that can be wrong is broken in a practice that works, and `doctor` names that thing and no other."""

from __future__ import annotations

import shutil
import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography.x509.oid import ExtendedKeyUsageOID

from gateway import platform
from gateway.api import Gateway
from tests.integration.practice import CASES, Practice, open_practice
from tests.integration.spoilt import (
    Bench,
    Broken,
    certificate,
    checkpoints_behind,
    checkpoints_lost,
    corrupt,
    empty_list,
    foreign_address,
    full,
    gone,
    key_of_all,
    mode,
    no_anchor,
    no_such_name,
    nobody_there,
    not_a_folder,
    old_library,
    other_master_key,
    other_time,
    patched,
    paused,
    pragma,
    read_only,
    replaced,
    restored,
    stale_list,
    taken_port,
    tomorrow,
    wrong_key,
)

EXPECTED = {"ANN-401", "CFG-108", "CFG-112", "CFG-117", "CFG-120"}
"""Said of a sound practice: no directory file, an old SQLite, a pack being edited, no IMAP, a box that can be read."""


@pytest.fixture(scope="module")
def practice(tmp_path_factory: pytest.TempPathFactory, certificates: Path) -> Iterator[Practice]:
    """With one document taken over, so that there is a database, keys and checkpoints to break."""
    opened = open_practice(tmp_path_factory.mktemp("sound"), certificates=certificates)
    text = opened.config.read_text(encoding="utf-8")
    head, first, *_ = text.split("[[account]]")
    tail = text[text.index("\n[sidecar]") :]
    opened.config.write_text(f"{head}[[account]]{first}{tail}", encoding="utf-8")
    with Gateway.open(opened.config) as gateway:
        gateway.submit((CASES / "01_entorse_cheville_bilan.json").read_bytes())
    yield opened
    opened.box.close()


KEPT = ("gateway.sqlite", "sealing.key", "journal.key", "trust-space.txt")


@pytest.fixture
def bench(practice: Practice, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bench]:
    """In place, not in a copy of the folder: the gateway would know that its store was copied."""
    folder, kept = practice.folder, (*KEPT, practice.config.name)
    before = {name: (folder / name).read_bytes() for name in kept}
    shutil.copytree(folder / "checkpoints", tmp_path / "checkpoints")
    (tmp_path / "spare").mkdir()
    yield Bench(practice, tmp_path / "spare", monkeypatch)
    monkeypatch.undo()
    for name, data in before.items():
        (folder / name).write_bytes(data)  # the same file, with the same mode as the others
        (folder / name).chmod(0o600)
    for place in ("checkpoints", "outbox/cabinet-01"):
        if (folder / place).is_file():
            (folder / place).unlink()
        shutil.rmtree(folder / place, ignore_errors=True)
    shutil.copytree(tmp_path / "checkpoints", folder / "checkpoints")
    platform.make_private_dir(folder / "checkpoints")


def told(value: dict[str, Any]) -> set[tuple[str, str, str]]:
    return {(f["code"], f["severity"], f["path"]) for f in value["findings"] if f["code"] not in EXPECTED}


def test_a_sound_practice_is_told_nothing(bench: Bench) -> None:
    status, value = bench.doctor()
    assert told(value) == set(), value["findings"]
    assert (status, value["ok"]) == (0, True)
    assert all(f["severity"] != "error" for f in value["findings"])


SMTP, DMP, BOX = "/account/cabinet-01/smtp", "/account/cabinet-01/dmp", "/account/cabinet-01/outbox"
SIGN, STORE, SIGNED = f"{DMP}/sign_cert_file", "/store/url", "/journal/checkpoint_dir"
EMAIL, SERVER = ExtendedKeyUsageOID.EMAIL_PROTECTION, ExtendedKeyUsageOID.SERVER_AUTH
INSI = "/account/cabinet-01/insi/tls/cert_file"
TABLE: dict[str, tuple[Broken, set[tuple[str, str, str]]]] = {
    "certificate expired": (certificate("insi-auth", -400, -1), {("CFG-107", "error", INSI)}),
    "certificate about to expire": (certificate("insi-auth", -400, 20), {("CFG-107", "warning", INSI)}),
    "certificate not valid yet": (certificate("insi-auth", 2, 400), {("CFG-140", "error", INSI)}),
    "certificate of another use": (certificate("insi-auth", usage=SERVER), {("CFG-113", "warning", INSI)}),
    "certificate that cannot sign": (certificate("sign"), {("CFG-142", "warning", SIGN)}),
    "key of another certificate": (wrong_key, {("CFG-141", "error", f"{DMP}/sign_key_file")}),
    "key that others read": (key_of_all, {("CFG-102", "error", f"{DMP}/sign_key_file")}),
    "authority that is empty": (no_anchor, {("CFG-105", "error", "/account/cabinet-01/insi/tls/ca_file")}),
    "trust list gone": (gone("trust-space.txt"), {("TRS-001", "error", "/trust_space/file")}),
    "trust list empty": (empty_list, {("TRS-004", "error", "/trust_space/file")}),
    "trust list old": (stale_list, {("TRS-005", "warning", "")}),
    "master key of another store": (other_master_key, {("SEA-007", "error", "/sealing/key_file")}),
    "master key that others read": (mode("sealing.key", 0o644), {("CFG-102", "error", "/sealing/key_file")}),
    "folder that is a file": (not_a_folder("outbox/cabinet-01"), {("CFG-109", "error", BOX)}),
    "folder that others enter": (mode("checkpoints", 0o755), {("CFG-143", "warning", SIGNED)}),
    "disk almost full": (full(200_000_000), {("CFG-144", "warning", STORE)}),
    "disk full": (full(1_000_000), {("CFG-144", "error", STORE)}),
    "network share": (
        patched(platform, "is_network_filesystem", lambda _: True),
        {("CFG-103", "error", STORE)},
    ),
    "database damaged": (corrupt, {("STO-008", "error", STORE)}),
    "database of a newer release": (pragma("user_version", 9999), {("STO-004", "error", STORE)}),
    "database of another program": (pragma("application_id", 77), {("STO-003", "error", STORE)}),
    "database that is none": (replaced("gateway.sqlite", "x" * 5000), {("STO-003", "error", STORE)}),
    "database read-only": (read_only, {("CFG-146", "error", STORE)}),
    "database that others read": (mode("gateway.sqlite", 0o644), {("CFG-143", "warning", STORE)}),
    "clock behind the journal": (tomorrow, {("CFG-147", "error", STORE)}),
    "clock of the DMP another": (other_time, {("CFG-148", "error", DMP)}),
    "checkpoints lost": (checkpoints_lost, {("CFG-152", "error", SIGNED)}),
    "checkpoints behind": (checkpoints_behind, {("CFG-153", "warning", SIGNED)}),
    "paused by somebody": (paused, {("CFG-154", "warning", DMP)}),
    "restored from a backup": (restored, {("CFG-155", "error", "/account")}),
    "library too old": (old_library, {("CFG-149", "error", "/python/lxml")}),
    "OpenSSL too old": (
        patched(ssl, "OPENSSL_VERSION_INFO", (1, 1, 1, 23, 15)),
        {("CFG-149", "warning", "/python/ssl")},
    ),
    "port taken": (taken_port, {("CFG-150", "error", "/health/listen")}),
    "address of another machine": (foreign_address, {("CFG-150", "error", "/web/listen")}),
    "name unknown": (no_such_name, {("CFG-151", "warning", DMP)}),
    "nobody answers": (nobody_there, {("CFG-110", "warning", DMP)}),
}


@pytest.mark.parametrize("what", TABLE)
def test_what_is_broken_is_named_and_nothing_else(bench: Bench, what: str) -> None:
    spoil, expected = TABLE[what]
    spoil(bench)
    status, value = bench.doctor()
    assert told(value) == expected, value["findings"]
    named = [f for f in value["findings"] if (f["code"], f["severity"], f["path"]) in expected]
    assert all(one["message"] and one["advice"] for one in named), named
    wrong = any(severity == "error" for _, severity, _ in expected)
    assert (status, value["ok"]) == ((1, False) if wrong else (0, True))
