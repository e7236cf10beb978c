"""A real datagram server on this machine, which tells what each test wants it to."""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from gateway.channels import sntp
from gateway.clock import SeededRandomness
from gateway.errors import GatewayError

EPOCH = 2_208_988_800
NOON = 1_772_452_800.25  # 2 March 2026, 12:00:00.250 UTC


def stamp(posix: float) -> bytes:
    seconds = int(posix // 1)
    return struct.pack("!II", (seconds + EPOCH) % (1 << 32), int((posix - seconds) * (1 << 32)))


def answer(
    question: bytes, *, first: int = 0x24, stratum: int = 2, received: float = NOON, sent: float = NOON
) -> bytes:
    head = struct.pack("!BBbb3I", first, stratum, 6, -20, 0, 0, 0)
    return head + stamp(NOON - 60) + question[40:48] + stamp(received) + stamp(sent)


@contextmanager
def server(say: Callable[[bytes], bytes | None]) -> Iterator[str]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as channel:
        channel.bind(("127.0.0.1", 0))

        def work() -> None:
            question, peer = channel.recvfrom(512)
            said = say(question)
            if said is not None:
                channel.sendto(said, peer)

        thread = threading.Thread(target=work, daemon=True)
        thread.start()
        yield f"127.0.0.1:{channel.getsockname()[1]}"
        thread.join(5)


def test_a_server_says_what_time_it_is() -> None:
    with server(lambda question: answer(question, sent=NOON + 0.5)) as place:
        said = sntp.ask(place, 5, SeededRandomness("a"))
    assert said.received == pytest.approx(NOON, abs=1e-6)
    assert said.answered == pytest.approx(NOON + 0.5, abs=1e-6)


def test_the_next_era_begins_in_2036() -> None:
    later = 2_085_978_496.0 + 3600  # an hour after the counter began anew
    with server(lambda question: answer(question, received=later, sent=later)) as place:
        assert sntp.ask(place, 5, SeededRandomness("a")).answered == pytest.approx(later)


def test_our_own_time_does_not_leave() -> None:
    seen: list[bytes] = []
    with server(lambda question: seen.append(question) or answer(question)) as place:  # type: ignore[func-returns-value]
        sntp.ask(place, 5, SeededRandomness("a"))
    assert seen[0][:1] == b"\x23"
    assert seen[0][1:40] == bytes(39)


@pytest.mark.parametrize(
    "say",
    [
        lambda question: answer(question)[:40],
        lambda question: b"",
        lambda question: answer(bytes(48)),  # not the answer to our question
        lambda question: answer(question, first=0xE4),  # its own clock is not synchronised
        lambda question: answer(question, first=0x23),  # a client
        lambda question: answer(question, stratum=0),  # a kiss of death
        lambda question: answer(question, stratum=16),
        lambda question: answer(question, received=NOON + 5),
    ],
)
def test_what_is_no_time_is_not_taken(say: Callable[[bytes], bytes]) -> None:
    with server(say) as place, pytest.raises(GatewayError, match="SNT-002"):
        sntp.ask(place, 5, SeededRandomness("a"))


def test_a_silent_server_is_not_waited_for() -> None:
    with server(lambda _: None) as place, pytest.raises(GatewayError, match="SNT-001"):
        sntp.ask(place, 0.05, SeededRandomness("a"))


def test_nobody_there() -> None:
    with pytest.raises(GatewayError, match="SNT-001"):
        sntp.ask("127.0.0.1:1", 1, SeededRandomness("a"))
