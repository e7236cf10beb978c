"""A box opened by a token at a real Postfix, whose Dovecot validates signed tokens; and what waits for a person."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from gateway.api import Gateway
from gateway.channels import tokens
from gateway.channels.mssante import MssanteChannel
from gateway.channels.mssante.xoauth2 import Login
from gateway.channels.outcome import Outcome, Verdict
from gateway.channels.tokens import SessionNeeded
from gateway.engine.events import DeliveryEvent
from gateway.settings import Settings, SmtpSettings, TlsSettings
from tests.integration.practice import Practice, case, open_practice
from tests.integration.test_channels_postfix import SENDER, TRUST, message, no_commit

if TYPE_CHECKING:
    from tests.integration.mailserver import RealMail
    from tests.integration.tokenserver import TokenService


def service(server: RealMail) -> TokenService:
    assert server.tokens is not None
    return server.tokens


async def send(server: RealMail, source: tokens.TokenSource, port: int = 0) -> Outcome:
    smtp = SmtpSettings(
        host="localhost", port=port or server.token_port, tls=TlsSettings(ca_file=server.ca), auth="xoauth2"
    )
    login = Login(SENDER, lambda: tokens.afetch(source, "cabinet", 5.0))
    channel = MssanteChannel(smtp, TRUST, pause=0.01, login=login)
    try:
        return await channel.send(message(), no_commit)
    finally:
        await channel.aclose()


async def test_a_good_token_sends(real_mail: RealMail) -> None:
    outcome = await send(real_mail, lambda _: service(real_mail).token(SENDER))
    assert (outcome.verdict, outcome.reason) == (Verdict.ACCEPTED, "MSS-250")
    assert outcome.reference is not None
    assert outcome.reference in real_mail.log.read_text(encoding="utf-8", errors="replace")


async def test_an_expired_token_is_asked_for_again_once(real_mail: RealMail) -> None:
    lives = iter([-5, 300])
    outcome = await send(real_mail, lambda _: service(real_mail).token(SENDER, lives=next(lives)))
    assert outcome.verdict is Verdict.ACCEPTED


@pytest.mark.parametrize("how", ["expired", "forged", "of another box"])
async def test_no_token_of_another_kind_passes(real_mail: RealMail, how: str) -> None:
    made = service(real_mail)
    stranger = ec.generate_private_key(ec.SECP256R1())
    source = {
        "expired": lambda _: made.token(SENDER, lives=-5),
        "forged": lambda _: made.token(SENDER, key=stranger),
        "of another box": lambda _: made.token("autre@kine.test.mssante.fr"),
    }[how]
    outcome = await send(real_mail, source)
    assert (outcome.verdict, outcome.reason) == (Verdict.SESSION, "MSS-SESSION-REFUSED")


async def test_a_port_without_xoauth2(real_mail: RealMail) -> None:
    outcome = await send(real_mail, lambda _: service(real_mail).token(SENDER), port=real_mail.smtps_port)
    assert outcome.verdict is Verdict.CONFIGURATION  # 421 4.7.1 (no certificate) comes before AUTH is even offered


# --------------------------------------------------------------------------- waiting for a person, whole gateway


@pytest.fixture
def practice(tmp_path: Path, certificates: Path) -> Iterator[Practice]:
    opened = open_practice(tmp_path, certificates=certificates)
    yield opened
    opened.box.close()


def with_tokens(practice: Practice, server: RealMail, **changes: Any) -> Settings:
    """The practice's settings, its author's box at the real operator and opened by tokens; nothing else configured."""
    from gateway.settings import load

    trust = practice.folder / "real-trust.txt"
    text = "# source: test\n# date: 2026-11-20\nmedecin.test.mssante.fr\nkine.test.mssante.fr\npatient.mssante.fr\n"
    trust.write_text(text, encoding="utf-8")
    settings = load(practice.config)
    account = next(a for a in settings.account if a.id == first_account(settings))
    smtp = SmtpSettings(
        host="localhost", port=server.token_port, tls=TlsSettings(ca_file=server.ca), auth="xoauth2", timeout=10
    )
    changed = account.model_copy(update={"mailbox": SENDER, "smtp": smtp, "dmp": None, "token_probe": 0.05, **changes})
    trusted = settings.trust_space.model_copy(update={"file": trust})
    return settings.model_copy(update={"account": (changed,), "trust_space": trusted})


def first_account(settings: Settings) -> str:
    return str(case(CASE)["account"])


CASE = "01_entorse_cheville_bilan"


def submission() -> bytes:
    value = case(CASE)
    for recipient in value["recipients"]:
        if recipient.get("mssante"):
            recipient["mssante"] = "helene.modele@medecin.test.mssante.fr"
    return json.dumps(value).encode()


class Door:
    """A token source that a person can close and open."""

    def __init__(self, made: TokenService) -> None:
        self.open = False
        self.asked = 0
        self._made = made

    def __call__(self, account: str) -> str:
        self.asked += 1
        if not self.open:
            raise SessionNeeded
        return self._made.token(SENDER)


def mails(gateway: Gateway, document: str) -> list[str]:
    return [d.transport for d in gateway.status(document).deliveries if d.channel == "mssante"]


def test_waits_outside_the_schedule_and_wakes_by_itself(practice: Practice, real_mail: RealMail) -> None:
    door, events = Door(service(real_mail)), list[DeliveryEvent]()
    with Gateway.open(with_tokens(practice, real_mail), tokens=door) as gateway:
        gateway.subscribe(events.append)
        document = gateway.submit(submission()).document_id
        asyncio.run(until(gateway, lambda: "waiting_for_session" in mails(gateway, document)))
        waiting = [d for d in gateway.status(document).deliveries if d.transport == "waiting_for_session"]
        assert waiting
        assert {(d.reason, d.due_at) for d in waiting} == {("MSS-SESSION", None)}
        assert [e.event for e in events].count("session_wanted") == 1
        assert gateway.sessions.accesses()[0].reason == "TOK-001"
        assert not gateway.sessions.accesses()[0].unattended
        door.open = True
        asyncio.run(until(gateway, lambda: "waiting_for_session" not in mails(gateway, document)))
        asyncio.run(until(gateway, lambda: set(mails(gateway, document)) <= {"sent", "impossible"}))
        assert "sent" in mails(gateway, document)
        assert gateway.sessions.accesses()[0].unattended
        assert [e.event for e in events].count("session_open") == 1
        assert gateway.verify_journal().ok


async def until(gateway: Gateway, done: Any, seconds: float = 20.0) -> None:
    stop = asyncio.Event()
    async with asyncio.TaskGroup() as group:
        group.create_task(gateway.arun(stop))
        async with asyncio.timeout(seconds):
            while not done():  # noqa: ASYNC110 (the store is asked: no event says it)
                await asyncio.sleep(0.05)
        stop.set()


def test_a_refused_session_waits_for_the_person_s_word(practice: Practice, real_mail: RealMail) -> None:
    """The source gives tokens and the operator refuses them: asking the source again proves nothing."""
    lives = [-5]
    with Gateway.open(
        with_tokens(practice, real_mail), tokens=lambda _: service(real_mail).token(SENDER, lives=lives[0])
    ) as gateway:
        document = gateway.submit(submission()).document_id
        gateway.deliver_due()
        assert "waiting_for_session" in mails(gateway, document)
        assert {d.reason for d in gateway.status(document).deliveries if d.transport == "waiting_for_session"} == {
            "MSS-SESSION-REFUSED"
        }
        gateway.deliver_due()
        assert "waiting_for_session" in mails(gateway, document)
        lives[0] = 300
        assert gateway.sessions.ready(first_account(gateway.settings), by="Anne Test") >= 1
        gateway.deliver_due()
        assert set(mails(gateway, document)) <= {"sent", "impossible"}


def test_a_token_command_sends_unattended(practice: Practice, real_mail: RealMail, tmp_path: Path) -> None:
    text = f"print({service(real_mail).token(SENDER)!r})"
    (tmp_path / "token.py").write_text(text, encoding="utf-8")
    command = (sys.executable, str(tmp_path / "token.py"))
    with Gateway.open(with_tokens(practice, real_mail, token_command=command)) as gateway:
        assert gateway.sessions.accesses()[0].unattended
        assert gateway.sessions.inspect() == []
        document = gateway.submit(submission()).document_id
        gateway.deliver_due()
        assert "sent" in mails(gateway, document)
        token = text[7:-2].encode()
        assert not [
            p for p in practice.folder.rglob("*") if p.is_file() and token in p.read_bytes() and p.suffix != ".py"
        ]
