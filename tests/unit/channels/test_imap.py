"""The mailbox reader against a scripted server: what it reads, what it never does, and every lie and fault."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from gateway.channels.mssante import imap, wire
from gateway.channels.mssante.imap import Cursor, FoundMail, Looked, Mailbox
from gateway.channels.mssante.mailbox_faults import MailboxError
from gateway.channels.outcome import Verdict
from gateway.channels.tokens import SessionNeeded, TokenSource
from gateway.channels.trace import Trace, Tracer
from gateway.clock import FrozenClock, SystemClock
from gateway.settings import ImapSettings, TlsSettings
from tests.unit.channels import scripted
from tests.unit.channels.scripted import DROP, Certificates
from tests.unit.channels.scripted_imap import Box, serving

ADDRESS = "cabinet@kine.example"
SECRET = "mot-de-passe-secret"


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return scripted.certificates(tmp_path_factory.mktemp("imap"))


def raw(number: int, text: str = "texte") -> bytes:
    return f"Message-ID: <{number}@kine.example>\r\nSubject: essai\r\n\r\n{text} {number}\r\n".encode()


@dataclass
class Reader:
    """A mailbox under test and what it handed over."""

    box: Mailbox
    got: list[FoundMail] = field(default_factory=list)

    async def take(self, found: FoundMail) -> None:
        self.got.append(found)

    async def look(self, cursor: Cursor | None = None, trusted: datetime | None = None) -> Looked:
        return await self.box.look(cursor, self.take, trusted)

    @property
    def texts(self) -> list[bytes]:
        return [found.raw for found in self.got]


def settings(box: Box, certificates: Certificates, **changes: Any) -> ImapSettings:
    tls = TlsSettings(ca_file=certificates.ca, cert_file=certificates.cert, key_file=certificates.key)
    values = {"host": "localhost", "port": box.port, "tls": tls, "timeout": 2.0}
    return ImapSettings.model_validate({**values, **changes})


class reading:  # noqa: N801 (a context manager that reads as a verb)
    """Serve a box and read it."""

    def __init__(
        self,
        box: Box,
        certificates: Certificates,
        *,
        token: TokenSource | None = None,
        clock: Any = None,
        tracer: Tracer | None = None,
        **changes: Any,
    ) -> None:
        self._box, self._certificates, self._changes = box, certificates, changes
        self._token, self._clock, self._tracer = token, clock or SystemClock(), tracer

    async def __aenter__(self) -> Reader:
        starttls = self._changes.get("security") == "starttls"
        self._serving = serving(self._box, self._certificates, starttls=starttls)
        await self._serving.__aenter__()
        found = settings(self._box, self._certificates, **self._changes)
        box = Mailbox(found, ADDRESS, account="a", clock=self._clock, token=self._token, tracer=self._tracer)
        self._reader = Reader(box)
        return self._reader

    async def __aexit__(self, *fault: object) -> None:
        await self._reader.box.aclose()
        await self._serving.__aexit__(None, None, None)


async def refusal(reader: Reader) -> MailboxError:
    with pytest.raises(MailboxError) as caught:
        await reader.look()
    assert reader.got == []
    return caught.value


# ------------------------------------------------------------------------------------------------- reading


async def test_each_mail_once_and_nothing_is_changed(certificates: Certificates) -> None:
    box = Box()
    for number in (1, 2):
        box.add(raw(number))
    async with reading(box, certificates) as reader:
        assert (await reader.look()).cursor == Cursor(7, 2)
        box.add(raw(3))
        assert (await reader.look()).read == 1
        assert (await reader.look()).read == 0
    assert reader.texts == [raw(1), raw(2), raw(3)]
    said = " ".join(box.commands)
    assert "EXAMINE" in said
    for word in ("SELECT", "STORE", "COPY", "MOVE", "EXPUNGE", "APPEND", "DELETE", "BODY["):
        assert word not in said.replace("BODY.PEEK[", "")


@pytest.mark.parametrize("security", ["tls", "starttls"])
async def test_the_certificate_says_who_we_are(certificates: Certificates, security: str) -> None:
    async with reading(box := Box(), certificates, security=security) as reader:
        await reader.look()
    assert box.logins == [b"EXTERNAL "]


async def test_a_cursor_goes_on_where_it_was(certificates: Certificates) -> None:
    box, now = Box(), datetime.now(UTC)
    for number in range(1, 6):
        box.add(raw(number), at=now - timedelta(hours=10 - number))
    async with reading(box, certificates) as reader:
        looked = await reader.look(Cursor(7, 3), trusted=now - timedelta(hours=6))
    assert (looked.cursor, reader.texts) == (Cursor(7, 5), [raw(4), raw(5)])


async def test_a_mail_whose_taking_fails_is_handed_over_again(certificates: Certificates) -> None:
    box = Box()
    box.add(raw(1))
    async with reading(box, certificates) as reader:

        async def full_disk(_: FoundMail) -> None:
            raise OSError(28, "no space")

        with pytest.raises(OSError, match="no space"):
            await reader.box.look(None, full_disk)
        await reader.look()
    assert reader.texts == [raw(1)]


async def test_a_long_backlog_comes_in_rounds(certificates: Certificates, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(imap, "ROUND_MAILS", 3)
    box = Box()
    for number in range(1, 8):
        box.add(raw(number))
    async with reading(box, certificates) as reader:
        assert [(await reader.look()).more for _ in range(3)] == [True, True, False]
    assert reader.texts == [raw(number) for number in range(1, 8)]


async def test_idle_wakes_and_ends(certificates: Certificates) -> None:
    async with reading(box := Box(), certificates) as reader:
        await reader.look()
        waiting = asyncio.create_task(reader.box.wait(10))
        await asyncio.sleep(0.1)
        started = time.monotonic()
        box.add(raw(1))
        assert await waiting
        assert time.monotonic() - started < 1
        assert (await reader.look()).read == 1
        assert await reader.box.wait(0.05)  # nothing comes: it ends by itself, and the connection lives on
        assert (await reader.look()).read == 0
    assert box.connections == 1


async def test_no_idle_where_none_is_offered_or_wanted(certificates: Certificates) -> None:
    async with reading(Box(capabilities="IMAP4rev1 AUTH=EXTERNAL"), certificates) as reader:
        await reader.look()
        assert not await reader.box.wait(10)
    async with reading(Box(), certificates, idle=False) as reader:
        await reader.look()
        assert not await reader.box.wait(10)


async def test_a_cancelled_wait_ends_at_once(certificates: Certificates) -> None:
    async with reading(Box(), certificates) as reader:
        await reader.look()
        waiting = asyncio.create_task(reader.box.wait(60))
        await asyncio.sleep(0.1)
        waiting.cancel()
        started = time.monotonic()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        assert time.monotonic() - started < 1


async def test_our_own_mail_is_found_by_its_header_alone(certificates: Certificates) -> None:
    box = Box()
    box.add(b"Message-ID: <autre@x>\r\nIn-Reply-To: <1@kine.example>\r\n\r\n<1@kine.example>\r\n")
    async with reading(box, certificates) as reader:
        assert await reader.box.find("<1@kine.example>") is None
        box.add(raw(1))
        box.add(raw(1))
        copy = await reader.box.find("<1@kine.example>")
        assert copy is not None
        assert copy.count == 2
        assert await reader.box.unseen() == (3, True)
    assert box.commands.count("UID FETCH 2 (UID BODY.PEEK[])") == 0


# ------------------------------------------------------------------------------------------------- logging in


async def test_plain_where_the_server_takes_the_name_from_the_certificate(certificates: Certificates) -> None:
    async with reading(box := Box(capabilities="IMAP4rev1 AUTH=PLAIN"), certificates) as reader:
        await reader.look()
    assert box.logins == [f"PLAIN \0{ADDRESS}\0".encode()]


async def test_password_from_its_file(certificates: Certificates, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text(SECRET + "\n")
    options: dict[str, Any] = {"auth": "password", "password_file": tmp_path / "secret"}
    async with reading(box := Box(), certificates, **options) as reader:
        await reader.look()
    assert box.logins == [f"PLAIN \0{ADDRESS}\0{SECRET}".encode()]
    async with reading(Box(), certificates, **{**options, "password_file": tmp_path / "absent"}) as reader:
        fault = await refusal(reader)
    assert (fault.verdict, fault.reason) == (Verdict.CONFIGURATION, "IMAP-PASSWORD-FILE")


async def test_token_of_the_session(certificates: Certificates) -> None:
    async with reading(box := Box(), certificates, auth="xoauth2", token=lambda account: f"jeton-{account}") as reader:
        await reader.look()
    assert box.logins == [f"XOAUTH2 user={ADDRESS}\x01auth=Bearer jeton-a\x01\x01".encode()]


def ended(_account: str) -> str:
    raise SessionNeeded


def broken(_account: str) -> str:
    raise RuntimeError(SECRET)


@pytest.mark.parametrize(
    ("token", "box", "verdict", "reason"),
    [
        (ended, Box(), Verdict.SESSION, "IMAP-SESSION"),
        (broken, Box(), Verdict.TRANSIENT, "IMAP-TOKEN"),
        (None, Box(), Verdict.CONFIGURATION, "IMAP-TOKEN-SOURCE"),
        (lambda _: "t", Box(capabilities="IMAP4rev1"), Verdict.CONFIGURATION, "IMAP-NO-XOAUTH2"),
        (lambda _: "t", Box(refused="no", challenge=b'{"status":"401"}'), Verdict.SESSION, "IMAP-SESSION"),
        (lambda _: "t", Box(refused="no", challenge=b'{"status":"403"}'), Verdict.CONFIGURATION, "IMAP-LOGIN"),
        (lambda _: "t", Box(lies={"authenticate_no": lambda *_: []}), Verdict.CONFIGURATION, "IMAP-LOGIN"),
    ],
)
async def test_tokens_that_do_not_open_the_box(
    certificates: Certificates, token: TokenSource | None, box: Box, verdict: Verdict, reason: str
) -> None:
    async with reading(box, certificates, auth="xoauth2", token=token) as reader:
        fault = await refusal(reader)
    assert (fault.verdict, fault.reason) == (verdict, reason)
    assert SECRET not in str(fault) + fault.message


@pytest.mark.parametrize(
    ("refused", "verdict", "reason"),
    [
        ("[AUTHENTICATIONFAILED] no", Verdict.CONFIGURATION, "IMAP-LOGIN"),
        ("[UNAVAILABLE] later", Verdict.TRANSIENT, "IMAP-BUSY"),
    ],
)
async def test_refused_login(certificates: Certificates, refused: str, verdict: Verdict, reason: str) -> None:
    async with reading(Box(refused=refused), certificates) as reader:
        fault = await refusal(reader)
    assert (fault.verdict, fault.reason) == (verdict, reason)


# --------------------------------------------------------------------------------------- between us and the server


async def test_nothing_in_clear_where_starttls_is_stripped(certificates: Certificates) -> None:
    async with reading(box := Box(clear="IMAP4rev1 AUTH=PLAIN"), certificates, security="starttls") as reader:
        fault = await refusal(reader)
    assert (fault.verdict, fault.reason) == (Verdict.CONFIGURATION, "IMAP-NO-STARTTLS")
    assert set(box.commands) == {"CAPABILITY"}


async def test_a_greeting_that_skips_the_login_does_not_skip_tls(certificates: Certificates) -> None:
    async with reading(box := Box(greeting="* PREAUTH hello"), certificates, security="starttls") as reader:
        fault = await refusal(reader)
    assert (fault.verdict, fault.reason) == (Verdict.CONFIGURATION, "IMAP-NO-STARTTLS")
    assert set(box.commands) == {"CAPABILITY"}


async def test_what_is_injected_behind_starttls_ends_it(certificates: Certificates) -> None:
    box = Box(behind_starttls=b"* CAPABILITY IMAP4rev1 AUTH=PLAIN\r\n")
    async with reading(box, certificates, security="starttls") as reader:
        fault = await refusal(reader)
    assert (fault.verdict, fault.reason) == (Verdict.CONFIGURATION, "IMAP-INJECTED")
    assert box.logins == []


async def test_preauth_under_tls_needs_no_login(certificates: Certificates) -> None:
    box = Box(greeting="* PREAUTH the certificate is enough")
    box.add(raw(1))
    async with reading(box, certificates) as reader:
        await reader.look()
    assert (box.logins, reader.texts) == ([], [raw(1)])


@pytest.mark.parametrize(
    ("names", "days"), [(("autre.example",), 30), (("localhost", "127.0.0.1"), -1)], ids=["wrong host", "expired"]
)
async def test_certificate_that_does_not_hold(certificates: Certificates, names: tuple[str, ...], days: int) -> None:
    leaf = certificates.authority.issue_cert(*names, not_after=datetime.now(UTC) + timedelta(days=days))
    other = Certificates(certificates.ca, certificates.cert, certificates.key, leaf, certificates.authority)
    async with reading(box := Box(), other) as reader:
        fault = await refusal(reader)
    assert (fault.verdict, fault.reason) == (Verdict.CONFIGURATION, "IMAP-TLS-VERIFY")
    assert box.commands == []


async def test_server_of_another_authority(certificates: Certificates, tmp_path: Path) -> None:
    stranger = scripted.certificates(tmp_path)
    mixed = Certificates(certificates.ca, certificates.cert, certificates.key, stranger.server, certificates.authority)
    async with reading(Box(), mixed) as reader:
        fault = await refusal(reader)
    assert (fault.verdict, fault.reason) == (Verdict.CONFIGURATION, "IMAP-TLS-VERIFY")


async def test_nobody_listens(certificates: Certificates) -> None:
    async with serving(Box(), certificates) as box:
        port = box.port
    reader = Reader(Mailbox(settings(Box(port=port), certificates), ADDRESS, account="a", clock=SystemClock()))
    fault = await refusal(reader)
    assert (fault.verdict, fault.reason) == (Verdict.TRANSIENT, "IMAP-CONNECT")
    await reader.box.aclose()


async def test_our_own_files_are_ours_to_mend(certificates: Certificates, tmp_path: Path) -> None:
    tls = TlsSettings(ca_file=tmp_path / "none.pem", cert_file=certificates.cert, key_file=certificates.key)
    async with reading(Box(), certificates, tls=tls) as reader:
        fault = await refusal(reader)
    assert (fault.verdict, fault.reason) == (Verdict.CONFIGURATION, "IMAP-TLS-FILES")
    assert "none.pem" in fault.message


async def test_traces_say_commands_and_codes_only(certificates: Certificates) -> None:
    traces: list[Trace] = []
    box = Box()
    box.add(raw(1, "contenu-clinique"))
    async with reading(box, certificates, tracer=Tracer(traces.append, account="a", channel="imap")) as reader:
        await reader.look()
        await reader.box.find("<1@kine.example>")
    steps = [(trace.action, step.request, step.reply) for trace in traces for step in trace.steps]
    assert steps[:3] == [("look", "CONNECT", "OK"), ("look", "AUTHENTICATE", "OK"), ("look", "EXAMINE", "OK")]
    assert ("find_copy", "UID SEARCH", "OK") in steps
    assert "kine.example" not in str(traces)
    assert "contenu" not in str(traces)


# ----------------------------------------------------------------------------------------------- faults


@pytest.mark.parametrize(
    ("lies", "reason"),
    [
        ({"fetch": lambda _b, _w: [b"* 1 FETCH (UID 1 BODY[] {500}\r\nhalf", DROP]}, "IMAP-LOST"),
        ({"fetch": lambda _b, _w: b"* 1 FETCH (UID 1 BODY[] {9999999999}\r\n"}, "IMAP-TOO-MUCH"),
        ({"fetch": lambda _b, _w: b"x" * 2_000_000}, "IMAP-TOO-MUCH"),
        ({"search": lambda _b, _w: b"\x00\xff garbage\r\n"}, "IMAP-LOST"),
        ({"list": lambda _b, _w: "* BYE going down"}, "IMAP-LOST"),
        ({"examine": lambda _b, _w: DROP}, "IMAP-LOST"),
        ({"list": lambda _b, _w: ["* 1 EXISTS"] * 400_000}, "IMAP-TOO-MUCH"),
    ],
    ids=["drop mid-fetch", "huge literal", "endless line", "garbage", "bye", "drop", "flood"],
)
async def test_a_fault_loses_nothing(certificates: Certificates, lies: dict[str, Any], reason: str) -> None:
    box = Box(lies=lies)
    box.add(raw(1))
    async with reading(box, certificates, timeout=60) as reader:
        fault = await refusal(reader)
        assert (fault.verdict, fault.reason) == (Verdict.TRANSIENT, reason)
        box.lies.clear()
        await reader.look()
    assert [found.uid for found in reader.got] == [1]


async def test_a_server_that_drips_is_given_up(certificates: Certificates, monkeypatch: pytest.MonkeyPatch) -> None:
    async with reading(box := Box(), certificates, timeout=0.3) as reader:
        await reader.look()
        box.pause = 5
        started = time.monotonic()
        with pytest.raises(MailboxError) as caught:
            await reader.look()
    assert (caught.value.verdict, caught.value.reason) == (Verdict.TRANSIENT, "IMAP-TIMEOUT")
    assert time.monotonic() - started < 2


@pytest.mark.parametrize("greeting", ["* BYE too many", "SSH-2.0-OpenSSH", "* OK [CAPABILITY X] ready"])
async def test_greetings(certificates: Certificates, greeting: str) -> None:
    box = Box(greeting=greeting, capabilities="IMAP2" if "CAPABILITY" in greeting else "IMAP4rev1")
    async with reading(box, certificates) as reader:
        fault = await refusal(reader)
    assert fault.verdict is Verdict.TRANSIENT
    assert box.logins == []


async def test_folder_that_does_not_exist(certificates: Certificates) -> None:
    async with reading(Box(lies={"examine_no": lambda _b, _w: []}), certificates, folder='A "b"') as reader:
        fault = await refusal(reader)
    assert (fault.verdict, fault.reason) == (Verdict.CONFIGURATION, "IMAP-FOLDER")


async def test_a_mail_that_breaks_the_connection_does_not_hide_the_others(certificates: Certificates) -> None:
    box = Box()
    for number in (1, 2, 3):
        box.add(raw(number))

    def poison(box: Box, words: list[str]) -> bytes | str:
        return DROP if words[0] == "1" else box.body(int(words[0]))

    box.lies["fetch"] = poison
    async with reading(box, certificates) as reader:
        await refusal(reader)
        with pytest.raises(MailboxError):
            await reader.look()
        assert reader.texts == [raw(2), raw(3)]
        box.lies.clear()
        await reader.look()
        assert reader.texts == [raw(2), raw(3), raw(1)]
        assert (await reader.look()).read == 0


async def test_a_mail_too_long_is_read_by_its_header(certificates: Certificates) -> None:
    box = Box()
    box.add(raw(1, "x" * 5000))
    async with reading(box, certificates, max_bytes=1000) as reader:
        looked = await reader.look()
    assert looked.odd == ["IMAP-LONG-MAIL"]
    assert [(found.whole, found.raw) for found in reader.got] == [(False, raw(1).partition(b"texte")[0])]


async def test_a_mail_longer_than_it_says(certificates: Certificates, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wire, "TALK", 100_000)
    box = Box()
    box.add(raw(1, "x" * 500_000))
    box.add(raw(2))
    box.lies["list"] = lambda box, words: [box.line(2), box.line(1).replace(str(len(box.mails[1].raw)), "10")]
    async with reading(box, certificates, max_bytes=1000) as reader:
        assert (await refusal(reader)).reason == "IMAP-TOO-MUCH"
        looked = await reader.look()
    assert looked.odd == ["IMAP-LONG-MAIL"]
    assert [(found.uid, found.whole) for found in reader.got] == [(2, True), (1, False)]


# ------------------------------------------------------------------------------------------------- lies about UIDs


async def test_another_uidvalidity_reads_the_last_days_anew(certificates: Certificates) -> None:
    box, clock = Box(), FrozenClock(datetime.now(UTC))
    box.add(raw(1), at=clock.at - timedelta(days=40))
    box.add(raw(2))
    async with reading(box, certificates, clock=clock) as reader:
        await reader.look()
        box.uidvalidity = 8
        clock.advance(5000)
        looked = await reader.look()
        assert (looked.odd, looked.cursor) == (["IMAP-UIDVALIDITY-CHANGED"], Cursor(8, 2))
        assert (await reader.look()).odd == []
        box.uidvalidity = 9  # and again at once: a server that does so for ever is left alone
        clock.advance(5)
        with pytest.raises(MailboxError, match="IMAP-UIDVALIDITY-CHANGED"):
            await reader.look()
    assert reader.texts == [raw(2), raw(2)]  # the mail of 40 days ago is out of the window, at first as later


async def test_numbers_that_go_backwards(certificates: Certificates) -> None:
    """A server restored from its backup: new mails under numbers that we believe read."""
    box = Box()
    for number in range(1, 6):
        box.add(raw(number))
    async with reading(box, certificates) as reader:
        await reader.look()
        del box.mails[4], box.mails[5]
        box.add(raw(40), at=datetime.now(UTC) + timedelta(seconds=2))
        looked = await reader.look()
        assert looked.odd == ["IMAP-UID-BACKWARDS"]
        assert reader.texts[5:] == [raw(40)]
        box.add(raw(50), at=datetime.now(UTC) + timedelta(seconds=4))
        await reader.look()
        assert reader.texts[6:] == [raw(50)]
        assert (await reader.look()).read == 0


async def test_a_number_given_to_another_mail(certificates: Certificates) -> None:
    box = Box()
    for number in (1, 2, 3):
        box.add(raw(number))
    async with reading(box, certificates) as reader:
        await reader.look()
        box.add(raw(222, "autre"), uid=2)
        looked = await reader.look()
    assert (looked.read, reader.texts[3:]) == (1, [raw(222, "autre")])


async def test_numbers_that_are_skipped_and_come_later(certificates: Certificates) -> None:
    box = Box()
    for number in (1, 2, 3):
        box.add(raw(number))
    box.lies["search"] = lambda _b, _w: "* SEARCH 1 3"
    async with reading(box, certificates) as reader:
        assert (await reader.look()).cursor == Cursor(7, 3)
        box.lies.clear()
        await reader.look()
    assert reader.texts == [raw(1), raw(3), raw(2)]


async def test_other_mails_than_asked_for(certificates: Certificates) -> None:
    """What comes is taken, since its content says what it is; what was asked for is asked for again."""
    box = Box()
    for number in (1, 2):
        box.add(raw(number))
    box.lies["fetch"] = lambda box, words: box.body(2) if words[0] == "1" else box.body(int(words[0]))
    async with reading(box, certificates) as reader:
        looked = await reader.look()
        assert set(looked.odd) == {"IMAP-UID-OTHER"}
        assert reader.texts == [raw(2), raw(2)]
        box.lies.clear()
        await reader.look()
        assert reader.texts == [raw(2), raw(2), raw(1)]
        assert (await reader.look()).read == 0


async def test_two_mails_under_one_number(certificates: Certificates) -> None:
    box = Box()
    box.add(raw(1))
    box.lies["fetch"] = lambda box, _w: [box.body(1), box.body(1, raw(2))]
    async with reading(box, certificates) as reader:
        looked = await reader.look()
    assert looked.odd == ["IMAP-UID-TWICE"]
    assert reader.texts == [raw(1), raw(2)]


@pytest.mark.parametrize("search", ["* SEARCH 1 1 1", "* SEARCH 1 4294967296 99999999999999", "* SEARCH 1 -3 abc 0"])
async def test_numbers_that_are_none(certificates: Certificates, search: str) -> None:
    box = Box(lies={"search": lambda _b, _w: search})
    box.add(raw(1))
    async with reading(box, certificates) as reader:
        looked = await reader.look()
    assert reader.texts == [raw(1)]
    assert set(looked.odd) <= {"IMAP-SEARCH"}


@pytest.mark.parametrize("said", [1, 4294967295, 999_999_999_999])
async def test_uidnext_and_exists_may_say_anything(certificates: Certificates, said: int) -> None:
    box = Box(uidnext=said, lies={})
    box.lies["examine"] = lambda box, _w: [f"* {said} EXISTS", "* OK [UIDVALIDITY 7] v", f"* OK [UIDNEXT {said}] n"]
    async with reading(box, certificates) as reader:
        for number in (1, 2, 3):
            box.add(raw(number), at=datetime.now(UTC) + timedelta(seconds=number))
            await reader.look()
        assert (await reader.look()).read == 0
    assert reader.texts == [raw(1), raw(2), raw(3)]


async def test_a_server_without_uidvalidity(certificates: Certificates) -> None:
    box = Box(uidvalidity=None)
    box.add(raw(1))
    async with reading(box, certificates) as reader:
        assert (await reader.look()).odd == ["IMAP-NO-UIDVALIDITY"]
        assert (await reader.look()).read == 0
    assert reader.texts == [raw(1)]


async def test_a_mail_that_is_deleted_meanwhile(certificates: Certificates) -> None:
    box = Box()
    for number in (1, 2):
        box.add(raw(number))
    box.lies["fetch"] = lambda box, words: [] if words[0] == "1" else box.body(2)
    async with reading(box, certificates) as reader:
        looked = await reader.look()
        assert (looked.odd, reader.texts) == ([], [raw(2)])
        assert (await reader.look()).read == 0
