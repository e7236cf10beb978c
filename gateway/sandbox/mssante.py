"""MSSanté operator: SMTP over implicit TLS, client certificate, trust space (spec mssante §4, §7).

Without a client certificate the greeting is `421 4.7.1`, as Postfix answers; a certificate of another CA is
refused by TLS itself (the standard library offers no way to take it and answer). DSN is not announced:
aiosmtpd does not do it.
"""

from __future__ import annotations

import asyncio
import logging
import ssl
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from aiosmtpd.smtp import SMTP, Envelope, Session
from cryptography import x509

from gateway.sandbox.certificates import is_client_certificate, mailboxes_of
from gateway.sandbox.faults import AFTER_DATA, AT_CONNECTION, AT_GREETING, Channel, Fault, FaultKind, Faults
from gateway.sandbox.mail_check import check_mail
from gateway.sandbox.mail_store import MailStore, StoredMail
from gateway.sandbox.mailboxes import Mailboxes
from gateway.sandbox.pki import Pki
from gateway.sandbox.problems import Problem

_log = logging.getLogger(__name__)
_START_SECONDS = 10.0
# Mon espace santé takes 25 Mo at most (ENS §6); measured with Postfix at this figure.
MAX_BYTES = 26_214_400


@dataclass(frozen=True, slots=True)
class MailOptions:
    """`strict`: refuse (554 5.6.0) a mail whose content has a defect, instead of only recording it."""

    strict: bool = False
    max_bytes: int = MAX_BYTES
    hostname: str = "smtp.sandbox.mssante.example"


def server_context(pki: Pki) -> ssl.SSLContext:
    """TLS 1.2 or later; the client certificate is asked for, its absence answered in SMTP."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_cert_chain(pki.server.cert_path, pki.server.key_path)
    context.load_verify_locations(pki.ca_path)
    context.verify_mode = ssl.CERT_OPTIONAL
    return context


class _Connection(SMTP):
    """One SMTP connection; refuses at the greeting what may not even speak."""

    def __init__(self, handler: _Handler, faults: Faults, **settings: Any) -> None:
        super().__init__(handler, **settings)
        self._faults = faults
        self._refused = False
        self.certificate: x509.Certificate | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Greet, or refuse: an injected fault, no client certificate, a certificate of another use."""
        assert isinstance(transport, asyncio.Transport)
        self.certificate = _peer(transport)
        greeting = self._refusal()
        if greeting is None:
            super().connection_made(transport)
            return
        self._refused = True
        if greeting:
            transport.write(greeting.encode() + b"\r\n")
            transport.close()
        else:
            transport.abort()

    def _refusal(self) -> str | None:
        """The refusal's greeting, empty to drop without a word, None to go on."""
        if self._faults.take(Channel.MSSANTE, AT_CONNECTION) is not None:
            return ""
        if self._faults.take(Channel.MSSANTE, AT_GREETING) is not None:
            return "421 4.3.2 Service momentanement indisponible"
        if self.certificate is None:
            return "421 4.7.1 No client certificate presented"
        if not is_client_certificate(self.certificate):
            return "421 4.7.1 Client certificate not trusted"
        return None

    def connection_lost(self, error: Exception | None) -> None:
        """Nothing to clean up for a connection that was never greeted."""
        if not self._refused:
            super().connection_lost(error)

    def data_received(self, data: bytes) -> None:
        """Ignore what a refused client still sends."""
        if not self._refused:
            super().data_received(data)

    def eof_received(self) -> bool | None:
        """Close; the SSL transport ignores half-closing."""
        return None if self._refused else super().eof_received()

    async def push(self, status: Any) -> None:
        """Send a reply; size refusals get the enhanced code that Postfix gives (552 5.3.4)."""
        if isinstance(status, str) and status.startswith("552 Error"):
            status = "552 5.3.4 Message size exceeds fixed limit"
        await super().push(status)


def _peer(transport: asyncio.Transport) -> x509.Certificate | None:
    tls = transport.get_extra_info("ssl_object")
    der = tls.getpeercert(binary_form=True) if tls is not None else None
    return x509.load_der_x509_certificate(der) if der else None


@dataclass(slots=True)
class _Handler:
    """Decisions of the operator on one mail."""

    mailboxes: Mailboxes
    store: MailStore
    faults: Faults
    options: MailOptions
    refused: list[tuple[str, str]] = field(default_factory=list)

    async def handle_MAIL(  # noqa: N802 the name that aiosmtpd calls
        self, server: _Connection, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        """The sender must be in the trust space, and a mailbox of this certificate."""
        del session
        certificate = server.certificate
        allowed = mailboxes_of(certificate) if certificate is not None else ()
        if address.lower() not in allowed or not self.mailboxes.in_trust_space(address.rpartition("@")[2]):
            return self._no(address, "550 5.7.1 Boite emettrice non permise a ce certificat")
        envelope.mail_from = address
        envelope.mail_options.extend(options)
        return "250 2.1.0 Ok"

    async def handle_RCPT(  # noqa: N802
        self, server: _Connection, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        """Serve mailboxes of the trust space only."""
        del server, session
        refusal = self.mailboxes.refusal(address)
        if refusal:
            return self._no(address, refusal)
        envelope.rcpt_tos.append(address)
        envelope.rcpt_options.extend(options)
        return "250 2.1.5 Ok"

    async def handle_DATA(  # noqa: N802
        self, server: _Connection, session: Session, envelope: Envelope
    ) -> str:
        """Check and store, then answer, unless a fault strikes."""
        del session
        fault = self.faults.take(Channel.MSSANTE, AFTER_DATA)
        if fault is not None:
            return await self._struck(fault, server, envelope)
        return await asyncio.to_thread(self._accept, envelope)

    async def _struck(self, fault: Fault, server: _Connection, envelope: Envelope) -> str:
        if fault.kind is FaultKind.REFUSE:
            return "451 4.3.0 Faute injectee : reessayer plus tard"
        if fault.kind is FaultKind.REJECT:
            return "554 5.6.0 Faute injectee : refus definitif"
        if fault.kind is FaultKind.DELAY:
            await asyncio.sleep(fault.seconds)
            return await asyncio.to_thread(self._accept, envelope)
        if fault.kind is FaultKind.DROP_AFTER_DATA:
            await asyncio.to_thread(self._accept, envelope)
        assert isinstance(server.transport, asyncio.Transport)
        server.transport.abort()
        return "421 4.3.2 Faute injectee : reponse perdue"

    def _accept(self, envelope: Envelope) -> str:
        content = envelope.original_content or b""
        problems: Sequence[Problem] = check_mail(content, str(envelope.mail_from), envelope.rcpt_tos)
        if problems and self.options.strict:
            return self._no(str(envelope.mail_from), f"554 5.6.0 {_ascii(problems[0])}")
        ids = self.store.keep(str(envelope.mail_from), envelope.rcpt_tos, content, problems)
        return f"250 2.0.0 Ok: queued as {ids[0]}"

    def _no(self, address: str, reply: str) -> str:
        self.refused.append((address, reply))
        return reply


def _ascii(problem: Problem) -> str:
    return problem.message.encode("ascii", "replace").decode()[:200]


class MailService:
    """The operator's server, in a thread with an event loop of its own, and its mailboxes."""

    def __init__(
        self,
        store: MailStore,
        mailboxes: Mailboxes,
        faults: Faults,
        pki: Pki,
        options: MailOptions,
    ) -> None:
        self._handler = _Handler(mailboxes, store, faults, options)
        self._store = store
        self._faults = faults
        self._context = server_context(pki)
        self._options = options
        self._loop: asyncio.AbstractEventLoop | None = None
        self._server: asyncio.Server | None = None
        self._thread: threading.Thread | None = None

    def start(self, host: str, port: int) -> int:
        """Listen; returns the port. Raises OSError when it is taken."""
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="sandbox-mssante", daemon=True)
        self._thread.start()
        make: Callable[[], _Connection] = self._connection
        serving = self._loop.create_server(make, host, port, ssl=self._context)
        try:
            self._server = asyncio.run_coroutine_threadsafe(serving, self._loop).result(_START_SECONDS)
        except OSError:
            self._end_loop()
            raise
        return int(self._server.sockets[0].getsockname()[1])

    def _connection(self) -> _Connection:
        return _Connection(
            self._handler,
            self._faults,
            data_size_limit=self._options.max_bytes,
            enable_SMTPUTF8=False,
            hostname=self._options.hostname,
            ident="kine-gateway sandbox",
            loop=self._loop,
        )

    def stop(self) -> None:
        """Stop listening and drop the open connections."""
        if self._loop is None:
            return
        asyncio.run_coroutine_threadsafe(self._close(), self._loop).result(_START_SECONDS)
        self._end_loop()

    def _end_loop(self) -> None:
        assert self._loop is not None
        assert self._thread is not None
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(_START_SECONDS)
        self._loop.close()
        self._loop = self._thread = None

    async def _close(self) -> None:
        assert self._server is not None
        self._server.close()
        tasks = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    # -- read back

    def messages(self, mailbox: str) -> list[StoredMail]:
        """Mails of a mailbox, oldest first."""
        return self._store.messages(mailbox)

    def all_messages(self) -> list[StoredMail]:
        """Every mail received."""
        return self._store.all_messages()

    def receptions(self, message_id: str) -> int:
        """Physical receptions of a Message-ID."""
        return self._store.receptions(message_id)

    def duplicates(self) -> dict[tuple[str, str], int]:
        """Mails received more than once in the same mailbox."""
        return self._store.duplicates()

    def refusals(self) -> list[tuple[str, str]]:
        """(address, reply) of what was refused since the start."""
        return list(self._handler.refused)
