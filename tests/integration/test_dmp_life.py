"""The life of a document in the DMP by a physiotherapist's own certificate: fed, found, read, changed, deleted."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from gateway.api import Gateway
from gateway.errors import InputError
from gateway.package.query import Criteria
from gateway.views import DeliveryHistory, DeliveryView
from tests.integration.practice import Practice, case, open_practice

BILAN = "01_entorse_cheville_bilan"
ACCOUNT = "cabinet-01"
ARCHIVED = "urn:asip:ci-sis:2010:StatusType:Archived"
BY = {"by": "Anne Essai", "reason": "demande du patient"}


def direct(practice: Practice, *more: str) -> None:
    """Give the account the professional's own certificates, and more lines of [account.dmp]."""
    text = practice.config.read_text(encoding="utf-8")
    start = text.index(f'id = "{ACCOUNT}"')
    start = text.index("[account.dmp]", start)
    end = text.index("\n\n", start)
    rpps = case(BILAN)["author"]["rpps"]
    structure = re.search(r'emitter = "(\d+)"', text[end:])
    assert structure is not None
    names = {"structure_id": structure[1], "rpps": rpps}
    auth = practice.box.issue_client(f"{ACCOUNT}-direct", kind="auth", **names)
    sign = practice.box.issue_client(f"{ACCOUNT}-direct", kind="sign", **names)
    table = text[start:end].replace('mode = "indirect"', 'mode = "direct"')
    table = re.sub(r'cert_file = "[^"]*", key_file = "[^"]*"', _pair("", auth.cert_path, auth.key_path), table)
    table = re.sub(r'sign_cert_file = .*\nsign_key_file = .*', _pair("sign_", sign.cert_path, sign.key_path, "\n"), table)
    practice.config.write_text(text[:start] + "\n".join((table, *more)) + text[end:], encoding="utf-8")


def _pair(prefix: str, cert: Path, key: Path, between: str = ", ") -> str:
    return f'{prefix}cert_file = "{cert}"{between}{prefix}key_file = "{key}"'


@pytest.fixture
def practice(tmp_path: Path, certificates: Path) -> Iterator[Practice]:
    made = open_practice(tmp_path, certificates=certificates)
    yield made
    made.box.close()


@pytest.fixture(params=["modern", "legacy"])
def direct_practice(practice: Practice, request: pytest.FixtureRequest) -> Practice:
    direct(practice, f'profile = "{request.param}"')
    return practice


def submit(gateway: Gateway, value: dict[str, Any] | None = None) -> str:
    """Hand in a document and deliver it; returns its id."""
    done = gateway.submit(json.dumps(value or case(BILAN)).encode())
    gateway.deliver_due()
    return done.document_id


def settled(gateway: Gateway, view: DeliveryView, seconds: float = 15.0) -> DeliveryHistory:
    """Deliver until a delivery is at rest."""
    deadline = time.monotonic() + seconds
    while (found := gateway.delivery(view.id)).view.transport not in {"sent", "dead", "held"}:
        assert time.monotonic() < deadline, found.as_dict()
        gateway.deliver_due()
        time.sleep(0.05)
    return found


def held(practice: Practice) -> list[tuple[int, str, tuple[str, ...]]]:
    """Version of metadata, status and visibility of what the sandbox holds of the document."""
    return [
        (one.version, one.status, tuple(code for code in one.confidentiality if code != "N"))
        for one in practice.box.dmp.documents()
    ]


def test_the_whole_life(direct_practice: Practice) -> None:
    practice = direct_practice
    with Gateway.open(practice.config) as gateway:
        document, dmp = submit(gateway), gateway.dmp(ACCOUNT)
        assert dmp.test(document, by="Anne Essai").open

        [found] = [one for one in dmp.find(document, by="Anne Essai").documents if one.ours == document]
        assert (found.status, found.version, found.visibility) == ("Approved", "1", ())
        cda = gateway.rendering(document, "cda")
        got = dmp.retrieve(document, [found.unique_id or ""], by="Anne Essai")
        assert got.ok
        assert [(one.content == cda, one.checked) for one in got.files] == [(True, True)]

        for change, version, labels in (
            ("mask", 2, ("MASQUE_PS",)),
            ("unmask", 3, ()),
            ("hide", 4, ("INVISIBLE_PATIENT",)),
            ("show", 5, ()),
            ("hide_legal", 6, ("INVISIBLE_REPRESENTANTS_LEGAUX",)),
            ("show_legal", 7, ()),
        ):
            done = settled(gateway, dmp.change(document, change, **BY))  # type: ignore[arg-type]
            assert (done.view.transport, done.view.reason) == ("sent", "DMP-UPD-SUCCESS"), done.as_dict()
            [(number, status, shown)] = held(practice)
            assert (number, status, shown) == (version, "Approved", labels)

        assert settled(gateway, dmp.archive(document, **BY)).view.transport == "sent"
        assert held(practice)[0][1] == "Archived"
        assert not dmp.find(document, by="Anne Essai").documents[:1] or all(
            one.ours != document for one in dmp.find(document, by="Anne Essai").documents
        )
        archived = dmp.find(document, by="Anne Essai", criteria=Criteria(statuses=(ARCHIVED,)))
        assert [one.ours for one in archived.documents] == [document]
        assert settled(gateway, dmp.unarchive(document, **BY)).view.transport == "sent"
        assert settled(gateway, dmp.delete(document, **BY)).view.reason == "DMP-UPD-SUCCESS"
        assert all(status == "Deleted" for _, status, _ in held(practice))
        assert gateway.verify_journal().ok
