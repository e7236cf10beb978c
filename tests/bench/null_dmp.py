"""A DMP that reads everything, checks nothing and says yes: what is left is the client's own cost. Run as a program.

    python -m tests.bench.null_dmp CERT KEY CA

It prints its port, serves every connection in a thread over TLS 1.2 with a client certificate, and prints at the end of
its input how many feeds it took and how many bytes they had.
"""

from __future__ import annotations

import re
import socket
import ssl
import sys
import threading

from gateway.sandbox.dmp.server import _SUITES
from tests.unit.channels.test_dmp import existence, registry

MESSAGE = re.compile(rb"<wsa:MessageID>([^<]*)</wsa:MessageID>")
LENGTH = re.compile(rb"content-length: *(\d+)", re.IGNORECASE)
FED, ASKED = registry("Success"), existence()


class Taken:
    """What arrived."""

    feeds = 0
    octets = 0


def main(cert: str, key: str, authority: str) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers(_SUITES)
    context.load_cert_chain(cert, key)
    context.load_verify_locations(authority)
    context.verify_mode = ssl.CERT_REQUIRED
    listener = socket.create_server(("127.0.0.1", 0))
    print(listener.getsockname()[1], flush=True)
    threading.Thread(target=_accept, args=(listener, context), daemon=True).start()
    sys.stdin.read()
    print(Taken.feeds, Taken.octets, flush=True)


def _accept(listener: socket.socket, context: ssl.SSLContext) -> None:
    while True:
        plain, _ = listener.accept()
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        threading.Thread(target=_serve, args=(context.wrap_socket(plain, server_side=True),), daemon=True).start()


def _serve(stream: ssl.SSLSocket) -> None:
    buffer = bytearray(1 << 18)
    view = memoryview(buffer)
    rest = b""
    while True:
        head = bytearray(rest)
        while (end := head.find(b"\r\n\r\n")) < 0:
            got = stream.recv_into(view)
            if not got:
                return
            head += view[:got]
        found = LENGTH.search(head[:end])
        assert found is not None
        left = int(found[1]) - (len(head) - end - 4)
        start = bytes(head[end + 4 :])
        while left > 0:
            got = stream.recv_into(view, min(left, len(view)))
            if not got:
                return
            if len(start) < 4096:
                start += view[:got]
            left -= got
        feed = head.startswith(b"POST") and b"/repository" in head[:200]
        if feed:
            Taken.feeds += 1
            Taken.octets += int(found[1])
        stream.sendall(_answer(start, FED if feed else ASKED))


def _answer(start: bytes, body: bytes) -> bytes:
    found = MESSAGE.search(start)
    assert found is not None
    body = body.replace(b"{relates}", found[1])
    head = (
        f"HTTP/1.1 200 OK\r\nContent-Type: application/soap+xml; charset=UTF-8\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


if __name__ == "__main__":
    main(*sys.argv[1:])
