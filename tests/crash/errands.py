"""What people and programs do to a gateway while it works: orders by name, holds, oppositions, odd files.

Each errand leads to one site of `steps.sites()`. It leaves nothing behind that would stop a document of the campaign;
what erases or withdraws does so to documents of its own.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import random
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.crash import crew, papers

if TYPE_CHECKING:
    from gateway.api import Gateway

BY, WHY = "Campagne", "essai"
OWN = 900_000
"""Numbers of the operator's own documents begin here."""


def operator(orders: crew.Orders) -> None:
    """One errand after the other, those first that lead to the ordered step."""

    async def work(gateway: Gateway, stop: asyncio.Event) -> None:
        chance = random.Random(os.getpid())
        settle(gateway)
        site = orders.step.rpartition(".")[0]
        while not stop.is_set():
            errand = ERRANDS.get(site) or chance.choice([one for one in ERRANDS.values() if one is not _rotate])
            await asyncio.to_thread(_run, errand, gateway, orders.folder)
            await asyncio.sleep(0.1 if site else 2.0)

    crew.live(orders, work)


def _run(errand: Callable[[Gateway, Path], None], gateway: Gateway, folder: Path) -> None:
    from gateway.errors import GatewayError, StoreError

    try:
        errand(gateway, folder)
    except StoreError:
        raise
    except GatewayError:  # a delivery moved on meanwhile, or nothing asks for a call: there is another turn
        pass


def settle(gateway: Gateway) -> None:
    """Undo what an operator who died half-way left: holds, pauses, stops."""
    from gateway.store.base import Filter
    from gateway.store.states import Transport

    for pause in gateway.pauses():
        if pause.actor == BY:
            gateway.resume(pause.account, pause.channel, by=BY)
    for pair in gateway.store.pair_holds():
        gateway.store.release_pair(pair.delivery_id, by=BY, reason=WHY)
    for row in gateway.store.deliveries(Filter(states=(Transport.HELD,), limit=100_000)):
        gateway.release(row.id, by=BY, reason=WHY)


def _any(gateway: Gateway, state: str, channel: str = "mssante") -> str | None:
    from gateway.store.base import Filter
    from gateway.store.states import Transport

    rows = gateway.store.deliveries(Filter(states=(Transport(state),), limit=40))
    return next((row.id for row in rows if row.channel == channel and row.purpose == "document"), None)


def _hold(gateway: Gateway, _: Path) -> None:
    if delivery := _any(gateway, "prepared"):
        gateway.hold(delivery, by=BY, reason=WHY)
        gateway.release(delivery, by=BY, reason=WHY)


def _pause(gateway: Gateway, _: Path) -> None:
    account = papers.ACCOUNTS[os.getpid() % 4]
    gateway.pause(account, "mssante", by=BY, reason="MAINTENANCE")
    gateway.resume(account, "mssante", by=BY)


def _session(gateway: Gateway, _: Path) -> None:
    gateway.store.session_ready(papers.ACCOUNTS[0], "dmp", by=BY)


def _receipt(gateway: Gateway, _: Path) -> None:
    from gateway.store.states import Receipt

    if delivery := _any(gateway, "sent"):
        gateway.store.record_receipt(delivery, Receipt.DELIVERED, evidence_sha256=os.urandom(32).hex())


def _oppose(gateway: Gateway, _: Path) -> None:
    from gateway.store.oppositions import Person

    someone = Person(papers.ACCOUNTS[0], f"someone|{os.getpid()}")
    gateway.store.oppose(someone, "dmp", by=BY)
    gateway.store.unoppose(someone, "dmp", by=BY, release=False)


def _stop(gateway: Gateway, _: Path) -> None:
    accounts = (papers.ACCOUNTS[0],)
    gateway.store.stop_patient(accounts, f"someone|{os.getpid()}", reason="ENG-STOP", by=BY)
    gateway.store.resume_patient(accounts, f"someone|{os.getpid()}", by=BY, release=False)


def _ask_insi(gateway: Gateway, _: Path) -> None:
    from gateway.store.stops import Access

    gateway.store.note_access(Access(papers.ACCOUNTS[0], BY, "search", "found", 1))


def _ask_dmp(gateway: Gateway, _: Path) -> None:
    from gateway.store.dmp_acts import DmpAccess

    gateway.store.note_dmp(DmpAccess(papers.ACCOUNTS[0], BY, "find", "asked"))


def _read(gateway: Gateway, _: Path) -> None:
    from gateway.store.browsing_types import Consulted

    gateway.store.note_consulted(Consulted("consulted", BY, "journal", size=1))


def _mailbox(gateway: Gateway, _: Path) -> None:
    gateway.store.note_mailbox(papers.ACCOUNTS[0], "mailbox_back", reason=None, host="localhost")


def _pair(gateway: Gateway, _: Path) -> None:
    if delivery := _any(gateway, "sent"):
        gateway.store.hold_pair(delivery, by=BY, reason=WHY)
        gateway.store.release_pair(delivery, by=BY, reason=WHY)


def _call(gateway: Gateway, _: Path) -> None:
    from gateway.store.base import Filter

    rows = gateway.store.deliveries(Filter(limit=1000))
    row = next((row for row in rows if row.alerted_at is not None), None)
    if row is not None:
        gateway.store.attend(row.id, "called", by=BY, reason=WHY)


def _late(gateway: Gateway, _: Path) -> None:
    from gateway.store.facts import LateObligation

    if delivery := _any(gateway, "sent"):
        near = gateway.store.delivery(delivery).row.document_id
        about = (papers.ACCOUNTS[0], os.urandom(8).hex(), "assessment", "medecin_traitant", near, "assessment")
        gateway.store.note_late([LateObligation(*about, None, None)])


def _own_document(gateway: Gateway, folder: Path) -> Any:
    """A document of the operator's own. Its id is written down: the comparison leaves it out.

    So are the names that its deliveries go by, which nobody knows any more once it is erased.
    """
    number = OWN + int.from_bytes(os.urandom(4), "big") % 90_000
    made = gateway.submit(papers.paper(number))
    names = [papers.name_of(gateway, one.id) for one in gateway.deliveries(document_id=made.document_id)]
    crew.append(folder / "own", f"{' '.join([made.document_id, *names])}\n")
    return made


def _erase(gateway: Gateway, folder: Path) -> None:
    document = _own_document(gateway, folder).document_id
    for delivery in gateway.deliveries(document_id=document):
        gateway.cancel(delivery.id, by=BY, reason=WHY)
    gateway.store.erase(document, by=BY)


def _disclose(gateway: Gateway, _: Path) -> None:
    from gateway.store.holdings import Disclosed

    gateway.store.note_disclosed(Disclosed(papers.ACCOUNTS[0], "0" * 32, BY, 1))


def _retire(gateway: Gateway, folder: Path) -> None:
    """Retention, of a document that is finished."""
    from gateway.store.states import Transport

    document = _own_document(gateway, folder).document_id
    for delivery in gateway.deliveries(document_id=document):
        if delivery.transport == Transport.PREPARED:
            gateway.cancel(delivery.id, by=BY, reason=WHY)
    gateway.store.retire(document, "documents", by=BY, why="age")


def _rotate(gateway: Gateway, _: Path) -> None:
    """Another master key, while everything works; the operator who died in the middle of it goes on."""
    gateway.keys.rotate(by=BY, reason=WHY)


def _withdraw(gateway: Gateway, folder: Path) -> None:
    gateway.withdraw(_own_document(gateway, folder).document_id, reason="error", by=BY, note=WHY)


def _readdress(gateway: Gateway, folder: Path) -> None:
    document = _own_document(gateway, folder).document_id
    mail = next(one for one in gateway.deliveries(document_id=document) if one.role == "medecin_traitant")
    gateway.readdress(mail.id, to="autre.modele@medecin.mssante.example", by=BY, reason=WHY, name="Dr Hélène MODELE")


def drop_odd_files(folder: Path, number: int) -> None:
    """What a vendor drops beside documents: a file to refuse, and the order to print a document."""
    new = folder / "outbox" / papers.FOLDERS[0] / "new"
    broken = json.loads(papers.paper(0))
    broken["patient"]["birth_date"] = "hier"
    order = {"format": "kine-gateway/action/1", "action": "print", "by": BY, "reason": WHY}
    documents = [path for path in folder.glob(f"outbox/{papers.FOLDERS[0]}/*/d*.json") if path.parent.name != "new"]
    with contextlib.suppress(OSError, ValueError, IndexError):
        known = json.loads(documents[number % len(documents)].read_bytes()) if documents else {}
        order |= {"document": known["document_id"], "destination": "patient"} if known else {}
        for name, value in ((f"x{number:06d}.json", broken), (f"p{number:06d}.action.json", order)):
            part = new / f"{name}.part"
            part.write_text(json.dumps(value), encoding="utf-8")
            part.rename(new / name)


ERRANDS: dict[str, Callable[[Gateway, Path], None]] = {
    "attending.attend": _call,
    "attending.hold_pair": _pair,
    "attending.release_pair": _pair,
    "browsing.note_consulted": _read,
    "dmp_acting.note_access": _ask_dmp,
    "erasing.erase": _erase,
    "erasing.note_disclosed": _disclose,
    "freezing.note_late": _late,
    "linking.link": _readdress,
    "linking.withdraw": _withdraw,
    "operating.act": _hold,
    "operating.pause": _pause,
    "operating.record_receipt": _receipt,
    "operating.resume": _pause,
    "operating.session_ready": _session,
    "opposing.oppose": _oppose,
    "opposing.unoppose": _oppose,
    "receiving.note_mailbox": _mailbox,
    "retaining.retire": _retire,
    "rotating.add": _rotate,
    "rotating.rewrap": _rotate,
    "rotating.use": _rotate,
    "keyring.change": _rotate,
    "stopping.note_access": _ask_insi,
    "stopping.resume": _stop,
    "stopping.stop": _stop,
}
"""How each site is come to that no worker comes to by itself."""
