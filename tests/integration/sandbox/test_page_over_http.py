"""The DMP's page on a real port: the loopback only, closed to other sites, and a store that can be emptied."""

from __future__ import annotations

import http.client
from collections.abc import Callable
from pathlib import Path

import pytest

from gateway.clock import FrozenClock
from gateway.errors import ConfigError
from gateway.sandbox import Sandbox
from gateway.sandbox.reset import Held, held, reset
from tests.unit.sandbox.builders import INS, INS_OID, feed

from .conftest import NOW, Site, post


@pytest.fixture
def shown(make_site: Callable[..., Site]) -> Site:
    return make_site(page_port=0)


def get(site: Site, path: str, method: str = "GET", **headers: str) -> tuple[http.client.HTTPResponse, bytes]:
    port = int(site.box.page_url.split(":")[2].split("/")[0])
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    connection.request(method, path, headers=headers)
    answer = connection.getresponse()
    body = answer.read()
    connection.close()
    return answer, body


def test_what_was_fed_is_seen_in_a_browser(shown: Site) -> None:
    built = feed(shown.draft(pdf=b"%PDF-1.4 essai"))
    assert post(shown.connect(), built)[0] == 200
    assert shown.box.page_url.startswith("http://localhost:")
    assert shown.box.page_url.endswith("/dmp/")
    answer, body = get(shown, "/dmp/")
    assert (answer.status, answer.headers["Content-Type"]) == (200, "text/html; charset=utf-8")
    assert INS.encode() in body
    [document] = shown.box.dmp.documents()
    answer, body = get(shown, f"/dmp/document/{document.unique_id}/pdf")
    assert (answer.headers["Content-Type"], body) == ("application/pdf", b"%PDF-1.4 essai")
    assert b"Content-Type: multipart/related" in get(shown, "/dmp/echange/1")[1]


def test_a_page_runs_nothing_and_is_read_by_nobody_else(shown: Site) -> None:
    answer, _ = get(shown, "/dmp/")
    policy = answer.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "script-src" not in policy
    assert "frame-ancestors 'none'" in policy
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Cache-Control"] == "no-store"
    assert "Access-Control-Allow-Origin" not in answer.headers


@pytest.mark.parametrize("host", ["dmp.example", "127.0.0.1.dmp.example:80", "", "localhost@dmp.example"])
def test_a_name_that_is_not_the_loopback_is_refused(shown: Site, host: str) -> None:
    answer, body = get(shown, "/dmp/", Host=host)
    assert answer.status == 403
    assert b"<html" not in body


@pytest.mark.parametrize("host", ["localhost:1", "127.0.0.1"])
def test_the_names_of_the_loopback(shown: Site, host: str) -> None:
    assert get(shown, "/dmp/", Host=host)[0].status == 200


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS"])
def test_it_is_read_only(shown: Site, method: str) -> None:
    assert get(shown, "/dmp/", method)[0].status == 501


def test_head(shown: Site) -> None:
    answer, body = get(shown, "/dmp/", "HEAD")
    assert (answer.status, body) == (200, b"")
    assert int(answer.headers["Content-Length"]) > 500


def test_no_page_unless_asked(site: Site) -> None:
    assert site.box.page_url == ""


def test_it_starts_again_with_the_same_address(shown: Site) -> None:
    post(shown.connect(), feed(shown.draft()))
    url = shown.box.page_url
    shown.box.stop()
    assert shown.box.page_url == ""
    shown.box.start()
    assert shown.box.page_url == url
    assert INS.encode() in get(shown, "/dmp/")[1]


# --------------------------------------------------------------------------------------------------- emptying


def test_a_sandbox_is_emptied_and_keeps_its_certificates(shown: Site, tmp_path: Path) -> None:
    post(shown.connect(), feed(shown.draft()))
    shown.box.dmp.set_patient(INS, INS_OID, status="closed")
    folder = shown.box.folder
    assert held(folder) == Held(0, 2, 1)  # the document and the signature of its set
    before = shown.box.ca_path.read_bytes()
    reset(folder, FrozenClock(NOW))
    assert not held(folder).anything
    assert shown.box.dmp.documents() == [], "the running sandbox sees it too"
    assert shown.box.ca_path.read_bytes() == before
    assert post(shown.connect(), feed(shown.draft()))[0] == 200
    assert len(shown.box.dmp.documents()) == 1


def test_a_file_of_another_version_is_refused_with_the_way_out(tmp_path: Path, home: Path) -> None:
    import sqlite3

    (tmp_path / "pki").symlink_to(home / "pki", target_is_directory=True)
    with sqlite3.connect(tmp_path / "dmp.sqlite") as database:
        database.execute("CREATE TABLE document (id INTEGER)")
        database.execute("INSERT INTO document VALUES (1)")
    database.close()
    with pytest.raises(ConfigError, match="--reset") as refused:
        Sandbox(tmp_path, clock=FrozenClock(NOW))
    assert refused.value.code == "SBX-005"
    assert held(tmp_path) == Held(0, 1, 0)
    reset(tmp_path, FrozenClock(NOW))
    box = Sandbox(tmp_path, clock=FrozenClock(NOW))
    assert box.dmp.documents() == []
    box.close()
