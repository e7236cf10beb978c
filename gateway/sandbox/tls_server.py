"""What the sandbox's HTTPS services share: TLS in a thread for each connection, faults before a byte, a quick stop."""

from __future__ import annotations

import contextlib
import logging
import socket
import socketserver
import ssl
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from gateway.sandbox.faults import AT_CONNECTION, Channel, Faults

_HANDSHAKE_SECONDS = 10.0
_log = logging.getLogger(__name__)


class TlsServer(ThreadingHTTPServer):
    """Accepts connections; the TLS handshake of each runs in its own thread. `channel` names it in faults and logs."""

    daemon_threads = True
    block_on_close = False
    request_queue_size = 64

    def __init__(
        self,
        address: tuple[str, int],
        handler: type[BaseHTTPRequestHandler],
        channel: Channel,
        context: ssl.SSLContext,
        faults: Faults,
    ) -> None:
        self.faults = faults
        self._channel = channel
        self._context = context
        self._open: set[socket.socket] = set()
        self._thread: threading.Thread | None = None
        super().__init__(address, handler)

    def server_bind(self) -> None:
        """Bind without the reverse name look-up of HTTPServer, which may take seconds."""
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = self.server_address[:2]  # type: ignore[assignment]

    def start(self) -> None:
        """Serve in a thread of its own."""
        name = f"sandbox-{self._channel.value}"
        self._thread = threading.Thread(target=self.serve_forever, args=(0.05,), name=name, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Stop accepting and drop the open connections."""
        self.shutdown()
        self.server_close()
        for connection in list(self._open):
            self.abort(connection)
        if self._thread is not None:
            self._thread.join(5)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """Handshake, then the requests of one connection."""
        if self.faults.take(self._channel, AT_CONNECTION) is not None:
            self.abort(request)
            return
        request.settimeout(_HANDSHAKE_SECONDS)
        try:
            secured = self._context.wrap_socket(request, server_side=True)
        except OSError as fault:  # ssl.SSLError is one
            reason = getattr(fault, "reason", type(fault).__name__)
            _log.info("sandbox.%s.tls_refused reason=%s", self._channel.value, reason)
            self.shutdown_request(request)
            return
        self._open.add(secured)
        try:
            super().process_request_thread(secured, client_address)
        finally:
            self._open.discard(secured)

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ARG002 inherited
        """A client that goes away is not worth a traceback on standard error."""
        _log.debug("sandbox.%s.connection_lost", self._channel.value, exc_info=True)

    @staticmethod
    def abort(connection: socket.socket) -> None:
        """Close without a word: no TLS close_notify, no HTTP answer."""
        with contextlib.suppress(OSError):
            socket.socket.shutdown(connection, socket.SHUT_RDWR)
        with contextlib.suppress(OSError):
            connection.close()
