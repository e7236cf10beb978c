"""The FHIR door end to end over mutual TLS: same facade, same outbox, one store behind both doors (experimental)."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from gateway.api import Gateway
from gateway.errors import InputError
from gateway.package.query import Criteria
from tests.integration.practice import Practice, case, open_practice
from tests.integration.test_dmp_life import (
    ACCOUNT,
    ARCHIVED,
    BILAN,
    BY,
    direct,
    dmp_delivery,
    held,
    settled,
    steps,
    submit,
)

WHO = {"by": "Anne Essai"}


@pytest.fixture
def practice(tmp_path: Path, certificates: Path) -> Iterator[Practice]:
    made = open_practice(tmp_path, certificates=certificates)
    yield made
    made.box.close()


def by_fhir(practice: Practice, *more: str) -> tuple[str, ...]:
    """Lines of [account.dmp] that choose the FHIR door."""
    return ('door = "fhir"', f'fhir_url = "{practice.box.fhir_url}"', *more)


def other_door(practice: Practice, door: str) -> None:
    """Change the door of an account that is configured for both."""
    text = practice.config.read_text(encoding="utf-8")
    practice.config.write_text(text.replace('door = "fhir"', f'door = "{door}"'), encoding="utf-8")


@pytest.mark.parametrize("transaction", ["iti65", "iti105"])
def test_the_whole_life(practice: Practice, transaction: str) -> None:
    direct(practice, *by_fhir(practice, f'fhir_transaction = "{transaction}"'))
    with Gateway.open(practice.config) as gateway:
        document, dmp = submit(gateway), gateway.dmp(ACCOUNT)
        fed = dmp_delivery(gateway, document)
        assert (fed.transport, fed.reason) == ("sent", "DMP-SUCCESS")
        assert dmp.test(document, **WHO).open
        [found] = dmp.find(document, **WHO).documents
        assert found.ours == document
        assert (found.status, found.version, found.visibility) == ("Approved", "1", ())
        assert (found.author, found.type) == ("TESTOU Gwenaël", "CR de bilan fonctionnel")
        cda = gateway.rendering(document, "cda")
        [file] = dmp.retrieve(document, [found.unique_id or ""], **WHO).files
        assert (file.content == cda, file.checked) == (True, True)
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
            assert held(practice) == [(version, "Approved", labels)]
        assert settled(gateway, dmp.archive(document, **BY)).view.transport == "sent"
        assert held(practice)[0][1] == "Archived"
        assert dmp.find(document, **WHO).documents == ()
        archived = dmp.find(document, criteria=Criteria(statuses=(ARCHIVED,)), **WHO)
        assert [(one.ours, one.status) for one in archived.documents] == [(document, "Archived")]
        assert settled(gateway, dmp.unarchive(document, **BY)).view.transport == "sent"
        assert settled(gateway, dmp.delete(document, **BY)).view.reason == "DMP-UPD-SUCCESS"
        assert held(practice)[0][1] == "Deleted"
        assert dmp.find(document, **WHO).documents == ()
        assert gateway.verify_journal().ok
    assert practice.box.dmp.count("TD2.1", outcome="accepted") == 1
