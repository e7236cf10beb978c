"""The daemon: watch the outbox folders, drive the engine, keep status files and the to-do page current."""

from __future__ import annotations

import asyncio
import logging
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gateway import platform, wording
from gateway.api import Gateway
from gateway.errors import ConfigError, GatewayError, NotFoundError, StoreError
from gateway.sidecar.boxes import Boxes, stopped
from gateway.sidecar.folder import Folder
from gateway.sidecar.health import serving
from gateway.sidecar.intake import Intake
from gateway.sidecar.leavings import sweep
from gateway.sidecar.overdue import Overdue
from gateway.sidecar.status import AFTER, needs_person, page, pending, status_file, tasks, to_hand, to_print
from gateway.store.database import NEWER
from gateway.views import DeliveryView, DocumentView

if TYPE_CHECKING:
    from gateway.api.linked import Suggestion
    from gateway.engine.events import DeliveryEvent

log = logging.getLogger("gateway.sidecar")


IN_FLIGHT = ("sending", "transmitting")
UNDER_WAY = ("prepared", "sending", "transmitting", "retry", "in_doubt")

_CLOSED = ("handed_over", "superseded", "cancelled")
GATHER_SECONDS = 0.1
"""Changes that come this close together are written at once."""


@dataclass(slots=True)
class Desk:
    """One account's folder, its intake, and what is known of the documents that its status files name."""

    folder: Folder
    intake: Intake
    overdue: Overdue
    boxes: Boxes
    views: dict[str, DocumentView] = field(default_factory=dict)
    found_out: dict[str, str] = field(default_factory=dict)
    """What the directory said of a refused address, by delivery; asked once in the life of the sidecar."""

    def refresh(self, gateway: Gateway, changed: set[str] | None) -> None:
        """Bring status files and the to-do page up to date; `changed` None: all of them."""
        statuses = self.folder.statuses()
        for name, known in statuses.items():
            if self._may_differ(name, known["document_id"], changed):
                self._refresh_one(gateway, name, known)
        for gone in self.views.keys() - statuses.keys():
            del self.views[gone]
        self._look_up(gateway)
        if self.views:
            self.overdue.look(gateway, changed=changed is None or bool(changed))
        if changed is None or changed:
            self.boxes.look(gateway)
        todo = tasks(self.views, self.folder.rejected_files(), self.found_out) + self.overdue.tasks(self.views)
        todo = stopped(gateway) + todo + self.boxes.tasks()
        self.folder.write_page(page(todo, self.views))

    def _look_up(self, gateway: Gateway) -> None:
        """Ask the directory for the present address of one doctor whose box was refused; the others wait their turn."""
        for delivery in (d for view in self.views.values() for d in view.deliveries):
            code = delivery.receipt_reason if delivery.transport == "sent" else delivery.reason
            if needs_person(delivery) and wording.about_address(code) and delivery.id not in self.found_out:
                self.found_out[delivery.id] = _said(gateway.linked.suggestion(delivery.id))
                return

    def _may_differ(self, name: str, document_id: str, changed: set[str] | None) -> bool:
        view = self.views.get(name)
        if changed is None or view is None or view.id != document_id or document_id in changed:
            return True
        return any(pending(delivery) for delivery in view.deliveries)

    def _refresh_one(self, gateway: Gateway, name: str, known: dict[str, Any]) -> None:
        try:
            view, row = gateway.status(known["document_id"]), gateway.store.document(known["document_id"])
        except NotFoundError:
            self.views.pop(name, None)
            return
        if row.erased_at is not None:  # a file's name may be the patient's: it goes with the content
            sweep(self.folder, row)
            self.views.pop(name, None)
            return
        if self.views.get(name) != view:
            self.folder.write_status(name, {**status_file(view), "findings": known.get("findings", [])})
            self._print(gateway, name, view)
            self.views[name] = view

    def _print(self, gateway: Gateway, name: str, view: DocumentView) -> None:
        if to_print(view):
            self.folder.write_printable(name, gateway.rendering(view.id, "pdf"))
        else:
            self.folder.drop_printable(name)
        for delivery in view.deliveries:
            self._print_sheet(gateway, delivery)

    def _print_sheet(self, gateway: Gateway, delivery: DeliveryView) -> None:
        """The sheet to sign for a document that the patient gets on paper; gone once it was handed over."""
        if to_hand(delivery):
            if not self.folder.has_printable(delivery.id):
                try:
                    self.folder.write_printable(delivery.id, gateway.linked.handout(delivery.id))
                except GatewayError as fault:
                    log.warning("sheet_not_made", extra={"delivery": delivery.id, "code": fault.code})
        elif delivery.transport in _CLOSED:
            self.folder.drop_printable(delivery.id)


def _said(found: Suggestion | None) -> str:
    """A suggestion in one line for the to-do page; empty when there is none."""
    if found is None:
        return ""
    return f"{found.why} {f'Commande : {found.command}' if found.command else ''}".strip()


class Sidecar:
    """Runs until told to stop. One sidecar per outbox folder: a second one is refused (lock file)."""

    def __init__(self, gateway: Gateway) -> None:
        self.gateway = gateway
        self._swept = False
        self._dirty: set[str] = set()
        self._read_to: tuple[int, ...] = ()
        self.desks = [_desk(gateway, a.id, a.outbox) for a in gateway.settings.account if a.outbox is not None]
        if not self.desks:
            raise ConfigError("CFG-010", "Aucun compte n'a de dossier outbox.", "Ajouter outbox = ... à un compte.")

    async def run(self, stop: asyncio.Event) -> None:
        """Watch and deliver until `stop` is set; what is in flight is finished or safely left to the next start."""
        with ExitStack() as locks:
            for desk in self.desks:
                desk.folder.ensure()
                locks.enter_context(platform.exclusive_lock(desk.folder.root / ".lock"))
            await asyncio.to_thread(self.gateway.warm)
            platform.notify_service("READY=1")
            try:
                async with serving(self.gateway), asyncio.TaskGroup() as group:
                    group.create_task(self.gateway.arun(stop))
                    group.create_task(self._watch(stop))
            except ExceptionGroup as faults:
                raise faults.exceptions[0] from None  # one fault ends both tasks
            platform.notify_service("STOPPING=1")
            await asyncio.to_thread(self.refresh)

    async def _watch(self, stop: asyncio.Event) -> None:
        loop, changed = asyncio.get_running_loop(), asyncio.Event()
        self.gateway.subscribe(lambda event: self._note(event, loop, changed))
        everything = True
        while not stop.is_set():
            try:
                await asyncio.to_thread(self.pass_once, everything=everything)
                everything = False
            except OSError as fault:
                # A full disk or a folder that went away: the files stay where they are until it is back.
                log.warning("folder_unavailable", extra={"error": type(fault).__name__})
            except StoreError as fault:
                if fault.code == NEWER:  # a newer release has the store: what is in flight ends, then the program does
                    stop.set()
                    return
                log.warning("store_unavailable", extra={"code": fault.code})
            platform.notify_service("WATCHDOG=1")
            await self._rest(stop, changed)

    def _note(self, event: DeliveryEvent, loop: asyncio.AbstractEventLoop, changed: asyncio.Event) -> None:
        self._dirty.add(event.document)
        for desk in self.desks:
            desk.boxes.note(event)
        loop.call_soon_threadsafe(changed.set)

    async def _rest(self, stop: asyncio.Event, changed: asyncio.Event) -> None:
        """Wait for the next scan, shorter when a delivery moved: its status file should say so soon."""
        waiting = {asyncio.ensure_future(stop.wait()), asyncio.ensure_future(changed.wait())}
        await asyncio.wait(
            waiting, timeout=self.gateway.settings.sidecar.scan_every, return_when=asyncio.FIRST_COMPLETED
        )
        for task in waiting:
            task.cancel()
        if changed.is_set():
            await pause(stop, GATHER_SECONDS)
        changed.clear()

    def pass_once(self, *, everything: bool = True) -> None:
        """One look at every folder, then status files for whatever changed (or for all)."""
        for desk in self.desks:
            self._dirty.update(desk.intake.pass_once())
        self.refresh(everything=everything)
        self._swept = True

    def refresh(self, *, everything: bool = True) -> None:
        """Rewrite the status files that are out of date and the to-do pages. The store is the truth.

        Without `everything`, documents are asked about only when an event named them, the journal has something new
        about them (another program's doing), or they are still under way.
        """
        dirty, self._dirty = self._dirty, set()
        try:
            self._read_to, touched = self.gateway.store.touched(self._read_to)
            dirty.update(touched)
            for desk in self.desks:
                desk.refresh(self.gateway, None if everything else dirty)
        except BaseException:
            self._dirty |= dirty  # a full disk: what could not be written is written once there is room
            raise

    @property
    def idle(self) -> bool:
        """Whether no file waits and no delivery is under way, one submitted by other means included."""
        return self._looked and not self.waiting()

    def settled(self, within: float) -> bool:
        """Whether nothing is left to do within these seconds: a retry due later, or a paused channel, may stay."""
        limit = self.gateway.clock.now() + timedelta(seconds=within)
        stopped = {(one.account, one.channel) for one in self.gateway.pauses()}

        def may_stay(delivery: DeliveryView) -> bool:
            lane = {(account, way) for account in (delivery.account, "*") for way in (delivery.channel, "*")}
            later = delivery.due_at is not None and delivery.due_at > limit
            return delivery.transport not in IN_FLIGHT and (later or bool(stopped & lane))

        return self._looked and all(map(may_stay, self.waiting()))

    def waiting(self) -> list[DeliveryView]:
        """Deliveries that the engine has not done with, but for those that wait for another one's outcome."""
        moving = self.gateway.deliveries(states=UNDER_WAY)
        return [delivery for delivery in moving if pending(delivery) and delivery.reason != AFTER]

    @property
    def _looked(self) -> bool:
        return self._swept and self.gateway.mail.looked and not any(desk.folder.scan() for desk in self.desks)


def _desk(gateway: Gateway, account: str, root: Path) -> Desk:
    settings = gateway.settings.sidecar
    folder = Folder(root, keep=settings.keep)
    return Desk(folder, Intake(gateway, folder, account), Overdue(account, settings.obligations_every), Boxes(account))


async def pause(stop: asyncio.Event, seconds: float) -> None:
    """Wait that long, or until `stop` is set."""
    try:
        await asyncio.wait_for(stop.wait(), seconds)
    except TimeoutError:
        return
