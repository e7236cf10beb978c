"""The DMP on a real port: mutual TLS, keep-alive, chunked bodies, faults that break connections."""

from __future__ import annotations

import http.client
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from gateway.clock import FrozenClock
from gateway.sandbox import Sandbox
from tests.unit.sandbox.builders import INS, Identity, existence, feed

from .conftest import NOW, Site, post


def test_a_document_is_fed_over_mutual_tls_and_read_back(site: Site) -> None:
    built = feed(site.draft())
    status, body = post(site.connect(), built)
    assert status == 200
    assert b"ResponseStatusType:Success" in body
    assert site.box.dmp.documents(INS)[0].content == built.document
    assert site.box.dmp.submissions()[0].matricule == INS


def test_localhost_is_a_name_of_the_server(site: Site) -> None:
    status, _ = post(site.connect(host="localhost"), existence(site.draft()))
    assert status == 200


def test_one_connection_carries_many_requests(site: Site) -> None:
    connection = site.connect()
    post(connection, existence(site.draft()))
    first = connection.sock
    for _ in range(3):
        assert post(connection, feed(site.draft()))[0] == 200
        assert connection.sock is first
    connection.close()


def test_a_chunked_body_is_read(site: Site) -> None:
    built = feed(site.draft())
    connection = site.connect()

    def pieces() -> Iterator[bytes]:
        for start in range(0, len(built.body), 1000):
            yield built.body[start : start + 1000]

    connection.request("POST", built.path, pieces(), {"Content-Type": built.content_type}, encode_chunked=True)
    answer = connection.getresponse()
    assert answer.status == 200
    assert b"Success" in answer.read()


def test_a_document_of_several_megabytes(site: Site) -> None:
    built = feed(site.draft(pdf=b"%PDF-1.4 " + b"x" * 12_000_000))
    assert b"ResponseStatusType:Success" in post(site.connect(), built)[1]


def _handshake_fails(site: Site, context: ssl.SSLContext) -> bool:
    connection = http.client.HTTPSConnection("127.0.0.1", site.box.dmp_port, timeout=5, context=context)
    try:
        post(connection, existence(site.draft()))
    except (ssl.SSLError, ConnectionError, http.client.RemoteDisconnected):
        return True
    finally:
        connection.close()
    return False


def test_no_client_certificate_no_connection(site: Site) -> None:
    assert _handshake_fails(site, site.tls(None))


def test_a_certificate_of_another_authority_is_refused(site: Site, tmp_path_factory: Any) -> None:
    other = Sandbox(tmp_path_factory.mktemp("rogue"), clock=FrozenClock(NOW))
    pair = other.issue_client("kine", kind="auth", structure_id="1")
    other.close()
    assert _handshake_fails(site, site.tls(Identity.load(pair.cert_path, pair.key_path)))


def test_only_tls_1_2_with_the_dmps_suites(site: Site) -> None:
    context = site.tls(site.auth)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    assert _handshake_fails(site, context)
    context = site.tls(site.auth)
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers("ECDHE-RSA-AES128-SHA256")
    assert _handshake_fails(site, context)


def test_busy_is_a_503_that_says_when_to_come_back(site: Site) -> None:
    site.box.faults.set("dmp", "busy")
    connection = site.connect()
    built = existence(site.draft())
    connection.request("POST", built.path, built.body, {"Content-Type": built.content_type})
    answer = connection.getresponse()
    assert (answer.status, answer.headers["Retry-After"]) == (503, "1")
    connection.close()
    assert post(site.connect(), built)[0] == 200


def test_unavailable_breaks_before_the_handshake(site: Site) -> None:
    site.box.faults.set("dmp", "unavailable")
    assert _handshake_fails(site, site.tls(site.auth))
    assert not _handshake_fails(site, site.tls(site.auth))


@pytest.mark.parametrize(("kind", "stored"), [("drop_after_data", 1), ("drop_before_store", 0)])
def test_a_lost_answer(site: Site, kind: str, stored: int) -> None:
    site.box.faults.set("dmp", kind)
    with pytest.raises((ConnectionError, http.client.RemoteDisconnected, ssl.SSLError)):
        post(site.connect(), feed(site.draft()))
    assert len(site.box.dmp.documents()) == stored


def test_delay(site: Site) -> None:
    site.box.faults.set("dmp", "delay", seconds=0.3)
    start = time.monotonic()
    assert post(site.connect(), feed(site.draft()))[0] == 200
    assert time.monotonic() - start >= 0.3


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ("Content-Length: abc", 411),
        ("Content-Length: 999999999", 413),
        ("Transfer-Encoding: chunked\r\n\r\nzz", 400),
    ],
)
def test_bodies_that_cannot_be_read(site: Site, headers: str, status: int) -> None:
    with socket.create_connection(("127.0.0.1", site.box.dmp_port), 5) as raw:
        secured = site.tls(site.auth).wrap_socket(raw, server_hostname="127.0.0.1")
        path = "/si-dmp-server/v2/services/repository"
        secured.sendall(f"POST {path} HTTP/1.1\r\nHost: x\r\n{headers}\r\n\r\n".encode())
        assert f" {status} ".encode() in secured.recv(1000)
        secured.close()


def test_a_silent_client_blocks_nobody(site: Site) -> None:
    with socket.create_connection(("127.0.0.1", site.box.dmp_port), 5):
        assert post(site.connect(), existence(site.draft()))[0] == 200


def test_many_clients_at_once(site: Site) -> None:
    results: list[int] = []

    def work() -> None:
        results.append(post(site.connect(), feed(site.draft()))[0])

    threads = [threading.Thread(target=work) for _ in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == [200] * 10
    assert len(site.box.dmp.documents()) == 10


def test_it_starts_again_on_the_same_ports_and_remembers(site: Site) -> None:
    post(site.connect(), feed(site.draft()))
    ports = (site.box.dmp_port, site.box.smtp_port)
    site.box.stop()
    with pytest.raises(OSError, match=r"refused|reset"):
        socket.create_connection(("127.0.0.1", ports[0]), 2).close()
    site.box.start()
    assert (site.box.dmp_port, site.box.smtp_port) == ports
    assert post(site.connect(), feed(site.draft()))[0] == 200
    assert len(site.box.dmp.documents()) == 2


def test_a_port_that_is_taken_is_an_error_and_leaves_nothing_open(site: Site, make_site: Callable[..., Site]) -> None:
    with pytest.raises(OSError, match="in use"):
        make_site(dmp_port=site.box.dmp_port)
    with pytest.raises(OSError, match="in use"):
        make_site(smtp_port=site.box.smtp_port)
