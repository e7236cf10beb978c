"""The outbox folder in hostile hands: links, pipes, sockets, devices, swaps, names; sound files still go through."""

from __future__ import annotations

import json
import logging
import os
import socket
import stat
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from gateway import platform
from gateway.api import Gateway
from gateway.platform import UnsafeFileError
from gateway.sidecar.daemon import Sidecar
from gateway.sidecar.folder import Folder
from gateway.sidecar.intake import Intake
from tests.integration.practice import CASES, Practice, open_practice

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="POSIX files")
SECRET = "MOT-DE-PASSE-DU-SERVEUR"


@pytest.fixture
def practice(tmp_path: Path, certificates: Path) -> Iterator[Practice]:
    made = open_practice(tmp_path / "practice", certificates=certificates)
    yield made
    made.box.close()


def _link(path: Path, secret: Path) -> None:
    path.symlink_to(secret)


def _dangling(path: Path, secret: Path) -> None:
    path.symlink_to(secret.with_name("gone"))


def _link_to_itself(path: Path, _: Path) -> None:
    path.symlink_to(path)


def _fifo(path: Path, _: Path) -> None:
    os.mkfifo(path)


def _socket(path: Path, _: Path) -> None:
    with socket.socket(socket.AF_UNIX) as made:
        here = Path.cwd()
        os.chdir(path.parent)  # a socket's address is short
        try:
            made.bind(path.name)
        finally:
            os.chdir(here)


def _device(path: Path, _: Path) -> None:
    try:
        os.mknod(path, stat.S_IFCHR | 0o600, os.makedev(1, 5))  # /dev/zero: without end
    except PermissionError:
        pytest.skip("making a device asks for root")


def _huge(path: Path, _: Path) -> None:
    with path.open("wb") as file:
        file.truncate(50_000_000_000)  # no block of it is on the disk


def _unreadable_bytes(path: Path, _: Path) -> None:
    path.write_bytes(b"\xff\xfe\x00" * 1000)


def _directory(path: Path, _: Path) -> None:
    path.mkdir()
    (path / "inside.json").write_bytes(b"{}")


def _link_to_directory(path: Path, secret: Path) -> None:
    path.symlink_to(secret.parent, target_is_directory=True)


STRANGE: tuple[Callable[[Path, Path], None], ...] = (
    _link,
    _dangling,
    _link_to_itself,
    _fifo,
    _socket,
    _device,
    _huge,
    _unreadable_bytes,
    _directory,
    _link_to_directory,
)
NAMES = (
    "a\nb.json",
    "\x1b[2J.json",
    "-rf.json",
    "$(reboot).json",
    "é" * 80 + ".json",
    "x" * 200 + ".json",
    "y" * 250 + ".json",
    os.fsdecode(b"\xff\xfe.json"),
    "\u202egnp.json",
    "DURAND Eva 279035121518989.json",
    "~.json",
    "a.json.json",
    "CON.json",
    "..json.json",
    "{0}.json",
    "%s.json",
)


def _age(path: Path) -> None:
    """A file that does not parse is left alone while it is young; these are old."""
    with suppress(OSError, NotImplementedError):
        os.utime(path, (1, 1), follow_symlinks=False)


@pytest.mark.parametrize("make", STRANGE, ids=lambda one: one.__name__.strip("_"))
def test_what_is_no_file_is_put_aside_and_the_rest_goes_on(
    practice: Practice, tmp_path: Path, make: Callable[[Path, Path], None]
) -> None:
    case = json.loads(next(CASES.glob("14_*.json")).read_bytes())
    account, secret = case["account"], tmp_path / "secret.json"
    secret.write_text(json.dumps({"key": SECRET}))
    with Gateway.open(practice.config) as gateway:
        folder = Folder(practice.outbox(account))
        folder.ensure()
        make(folder.new / "0-first.json", secret)
        _age(folder.new / "0-first.json")
        practice.drop(case, "sound", account)
        intake = Intake(gateway, folder, account)
        intake.pass_once()
        assert (folder.status / "sound.json").exists()
        assert not os.path.lexists(folder.new / "0-first.json")
        assert os.path.lexists(folder.rejected / "0-first.json")
    reports = "".join(path.read_text() for path in folder.rejected.glob("*.report.*"))
    assert SECRET not in reports
    assert secret.exists(), "a link is put aside, what it names is left alone"


def test_a_directory_is_told_of_once_it_is_whole(practice: Practice) -> None:
    """Somebody copies a whole directory into `new/`: left alone while it grows, then put aside with its files."""
    with Gateway.open(practice.config) as gateway:
        folder = Folder(practice.outbox("cabinet-01"))
        folder.ensure()
        (folder.new / "lundi").mkdir()
        intake = Intake(gateway, folder, "cabinet-01")
        intake.pass_once()
        assert (folder.new / "lundi").is_dir()
        (folder.new / "lundi" / "a.json").write_bytes(b"{}")
        _age(folder.new / "lundi")
        intake.pass_once()
    assert (folder.rejected / "lundi" / "a.json").read_bytes() == b"{}"
    report = json.loads((folder.rejected / "lundi.report.json").read_bytes())
    assert [one["code"] for one in report["findings"]] == ["FLD-004"]


def test_a_name_in_another_encoding_is_a_name(practice: Practice) -> None:
    """As an old program writes it: Latin-1, which is no UTF-8. Taken over, with its status and the page."""
    case = json.loads(next(CASES.glob("14_*.json")).read_bytes())
    name = os.fsdecode("André".encode("latin-1"))
    with Gateway.open(practice.config) as gateway:
        sidecar = Sidecar(gateway)
        for desk in sidecar.desks:
            desk.folder.ensure()
        folder = next(one.folder for one in sidecar.desks if one.intake.account == case["account"])
        practice.drop(case, name, case["account"])
        (folder.new / f"{name}-bis.json").write_bytes(b"not json")
        _age(folder.new / f"{name}-bis.json")
        sidecar.pass_once()
        assert list(folder.new.iterdir()) == []
        assert folder.statuses().keys() == {name}
        assert r"Andr\udce9-bis" in (folder.root / "A_FAIRE.html").read_text(encoding="utf-8")


def test_names_of_files_reach_neither_log_nor_store(practice: Practice, caplog: pytest.LogCaptureFixture) -> None:
    account = json.loads(next(CASES.glob("14_*.json")).read_bytes())["account"]
    with Gateway.open(practice.config) as gateway, caplog.at_level(logging.DEBUG):
        folder = Folder(practice.outbox(account))
        folder.ensure()
        for name in NAMES:
            (folder.new / name).write_bytes(b"not json")
            _age(folder.new / name)
        Intake(gateway, folder, account).pass_once()
        assert [path for path in folder.new.iterdir() if not path.name.startswith(".")] == []
        told = "\n".join(f"{one.getMessage()} {one.__dict__}" for one in caplog.records)
        inside = {path.resolve().parent for path in folder.root.rglob("*") if not path.is_dir()}
    assert not [name for name in NAMES if name.removesuffix(".json") in told and len(name) > 8]
    assert "\x1b" not in told
    assert all(folder.root.resolve() in (place, *place.parents) for place in inside)


def test_a_file_that_is_swapped_while_it_is_read(tmp_path: Path) -> None:
    """A file and a link change places as fast as they can: what is read is the file, or nothing."""
    secret, good, link = tmp_path / "secret", tmp_path / "good", tmp_path / "link"
    secret.write_text(SECRET)
    target = tmp_path / "new.json"
    stop = threading.Event()

    def swap() -> None:
        while not stop.is_set():
            good.write_text("{}")
            good.replace(target)
            with suppress(FileNotFoundError):
                link.unlink()
            link.symlink_to(secret)
            link.replace(target)

    thread = threading.Thread(target=swap)
    thread.start()
    try:
        for _ in range(3_000):
            try:
                data = platform.read_regular(target, 1_000)
            except (UnsafeFileError, FileNotFoundError):
                continue
            assert data == b"{}"
    finally:
        stop.set()
        thread.join()


def test_a_hard_link_gives_nothing_away(practice: Practice, tmp_path: Path) -> None:
    """The writer could read it anyway; taking it over must not remove what the other name holds."""
    case = next(CASES.glob("14_*.json")).read_bytes()
    account, other = json.loads(case)["account"], tmp_path / "practice" / "other.json"
    other.write_bytes(case)
    with Gateway.open(practice.config) as gateway:
        folder = Folder(practice.outbox(account))
        folder.ensure()
        os.link(other, folder.new / "linked.json")
        Intake(gateway, folder, account).pass_once()
        assert (folder.status / "linked.json").exists()
    assert other.read_bytes() == case


@pytest.mark.parametrize("make", [_link, _fifo, _device], ids=lambda one: one.__name__.strip("_"))
def test_a_trap_where_the_gateway_writes(tmp_path: Path, make: Callable[[Path, Path], None]) -> None:
    """A status file, the page or a sheet replaced by a pipe or a link: never waited on, never written through."""
    secret = tmp_path / "secret.json"
    secret.write_text(json.dumps({"document_id": SECRET}))
    folder = Folder(tmp_path / "outbox")
    folder.ensure()
    for place in (folder.status / "a.json", folder.root / "A_FAIRE.html", folder.printable / "a.pdf"):
        make(place, secret)
    assert folder.statuses() == {}
    folder.write_status("a", {"document_id": "1"})
    folder.write_page("<html>")
    folder.write_printable("a", b"%PDF")
    assert folder.statuses() == {"a": {"document_id": "1"}}
    assert SECRET in secret.read_text()
