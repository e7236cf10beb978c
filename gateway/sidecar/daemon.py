"""The daemon: watch the outbox folders, drive the engine, keep status files and the to-do page current."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from gateway import platform
from gateway.api import Gateway
from gateway.errors import ConfigError, NotFoundError
from gateway.sidecar.folder import Folder
from gateway.sidecar.intake import Intake
from gateway.sidecar.status import page, pending, status_file, tasks
from gateway.views import DocumentView

log = logging.getLogger("gateway.sidecar")


@dataclass(slots=True)
class Desk:
    """One account's folder, its intake, and what is known of the documents that its status files name."""

    folder: Folder
    intake: Intake
    views: dict[str, DocumentView] = field(default_factory=dict)


class Sidecar:
    """Runs until told to stop. One sidecar per outbox folder: a second one is refused (lock file)."""

    def __init__(self, gateway: Gateway) -> None:
        self.gateway = gateway
        self.desks = [_desk(gateway, a.id, a.outbox) for a in gateway.settings.account if a.outbox is not None]
        if not self.desks:
            raise ConfigError("CFG-010", "Aucun compte n'a de dossier outbox.", "Ajouter outbox = ... à un compte.")

    async def run(self, stop: asyncio.Event) -> None:
        """Watch and deliver until `stop` is set; what is in flight is finished or safely left to the next start."""
        with ExitStack() as locks:
            for desk in self.desks:
                desk.folder.ensure()
                locks.enter_context(platform.exclusive_lock(desk.folder.root / ".lock"))
            platform.notify_service("READY=1")
            async with asyncio.TaskGroup() as group:
                group.create_task(self.gateway.arun(stop))
                group.create_task(self._watch(stop))
            platform.notify_service("STOPPING=1")
            await asyncio.to_thread(self.refresh)

    async def _watch(self, stop: asyncio.Event) -> None:
        while not stop.is_set():
            try:
                await asyncio.to_thread(self.pass_once)
            except OSError as fault:
                # A full disk or a folder that went away: the files stay where they are until it is back.
                log.warning("folder_unavailable", extra={"error": type(fault).__name__})
            platform.notify_service("WATCHDOG=1")
            await pause(stop, self.gateway.settings.sidecar.scan_every)

    def pass_once(self) -> None:
        """One look at every folder, then status files for whatever changed."""
        for desk in self.desks:
            if desk.intake.pass_once():
                self.gateway.wake()
        self.refresh()

    def refresh(self) -> None:
        """Rewrite the status files that are out of date and the to-do pages. The store is the truth."""
        for desk in self.desks:
            statuses = desk.folder.statuses()
            for name, known in statuses.items():
                self._refresh_one(desk, name, known["document_id"], known.get("findings", []))
            for gone in desk.views.keys() - statuses.keys():
                del desk.views[gone]
            desk.folder.write_page(page(tasks(desk.views, desk.folder.rejected_files()), desk.views))

    def _refresh_one(self, desk: Desk, name: str, document_id: str, findings: Iterable[dict[str, str]]) -> None:
        try:
            view = self.gateway.status(document_id)
        except NotFoundError:
            desk.views.pop(name, None)
            return
        if desk.views.get(name) != view:
            value = status_file(view)
            value["findings"] = list(findings)
            desk.folder.write_status(name, value)
            desk.views[name] = view

    @property
    def idle(self) -> bool:
        """Whether nothing is waiting in the folders and no delivery is under way."""
        if any(desk.folder.scan() for desk in self.desks):
            return False
        views = [view for desk in self.desks for view in desk.views.values()]
        return not any(pending(delivery) for view in views for delivery in view.deliveries)


def _desk(gateway: Gateway, account: str, root: Path) -> Desk:
    folder = Folder(root, keep=gateway.settings.sidecar.keep)
    return Desk(folder, Intake(gateway, folder, account))


async def pause(stop: asyncio.Event, seconds: float) -> None:
    """Wait that long, or until `stop` is set."""
    try:
        await asyncio.wait_for(stop.wait(), seconds)
    except TimeoutError:
        return
