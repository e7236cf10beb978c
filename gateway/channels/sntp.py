"""Asks a time server what time it is (SNTP, RFC 4330 §5, RFC 5905 §14): one datagram out, one in. Sets nothing."""

from __future__ import annotations

import socket
import struct
from dataclasses import dataclass

from gateway.clock import Randomness
from gateway.errors import GatewayError

PORT = 123
_PACKET = struct.Struct("!BBbb11I")
_CLIENT = 0x23  # no leap warning, version 4, mode 3
_SERVER_MODE = 4
_UNSYNCHRONISED = 3
_EPOCH = 2_208_988_800
"""Seconds from 1900 to 1970."""
_ERA = 1 << 32


class SntpError(GatewayError):
    """The server did not answer, or not with a time that may be used."""


@dataclass(frozen=True, slots=True)
class Said:
    """When the server got the question and when it answered, by its own clock (POSIX seconds)."""

    received: float
    answered: float


def ask(server: str, timeout: float, ids: Randomness) -> Said:
    """Ask `host` or `host:port`. Raises SntpError (SNT-001 no answer, SNT-002 an answer that is none).

    The question holds a random number in place of our time: an answer that does not repeat it is somebody else's.
    """
    host, _, port = server.partition(":")
    cookie = struct.unpack("!II", ids.token(8))
    question = _PACKET.pack(_CLIENT, 0, 0, 0, *(0,) * 9, *cookie)
    try:
        with socket.socket(*_address(host, int(port or PORT))[:2]) as channel:
            channel.settimeout(timeout)
            channel.connect(_address(host, int(port or PORT))[4])
            channel.send(question)
            answer = channel.recv(512)
    except OSError as fault:
        advice = "Vérifier clock.sntp et le pare-feu (UDP 123)."
        raise SntpError("SNT-001", f"Le serveur de temps {server} ne répond pas.", advice) from fault
    return _read(answer, cookie, server)


def _address(host: str, port: int) -> tuple[int, int, int, str, tuple[object, ...]]:
    return socket.getaddrinfo(host, port, type=socket.SOCK_DGRAM)[0]


def _read(answer: bytes, cookie: tuple[int, int], server: str) -> Said:
    if len(answer) >= _PACKET.size:
        first, stratum, _, _, *words = _PACKET.unpack(answer[: _PACKET.size])
        serves = first & 7 == _SERVER_MODE and first >> 6 != _UNSYNCHRONISED and 1 <= stratum <= 15
        if serves and tuple(words[5:7]) == cookie and (words[7] or words[9]):
            said = Said(_posix(*words[7:9]), _posix(*words[9:11]))
            if said.received <= said.answered:
                return said
    raise SntpError(
        "SNT-002", f"Le serveur de temps {server} ne donne pas l'heure.", "En choisir un autre (clock.sntp)."
    )


def _posix(seconds: int, fraction: int) -> float:
    """An NTP timestamp; those with the first bit clear are of the era that begins in 2036 (RFC 4330 §3)."""
    era = 0 if seconds & 0x8000_0000 else _ERA
    return seconds + era - _EPOCH + fraction / _ERA
