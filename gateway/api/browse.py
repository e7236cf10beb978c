"""Deliveries as an auditor reads them: page by page, by pseudonym, each reading journalled."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gateway.api.machinery import Machinery
    from gateway.store.base import DeliveryDetail, DocumentRow
    from gateway.store.browsing_types import Consulted, Listed, PageFilter

WALKED = 1000
"""Rows read in one transaction of an export."""


class Browse:
    """Reads without payload: ids, states, codes, times and pseudonyms."""

    def __init__(self, machinery: Machinery) -> None:
        self._machinery = machinery

    def page(self, wanted: PageFilter) -> list[Listed]:
        """Deliveries, newest first, at most `wanted.limit`; the next page starts after the last one's `cursor`."""
        return self._machinery.store.page(self._bounded(wanted))

    def walk(self, wanted: PageFilter) -> Iterator[Listed]:
        """Every delivery of the filter, page after page: a long export holds up no writer."""
        wanted = replace(wanted, limit=WALKED)
        while found := self.page(wanted):
            yield from found
            if len(found) < WALKED:
                return
            wanted = replace(wanted, after=found[-1].cursor)

    def delivery(self, delivery_id: str) -> DeliveryDetail:
        """One delivery with attempts, notes and journal records. Raises NotFoundError (DLV-404)."""
        return self._machinery.store.delivery(delivery_id)

    def document(self, document_id: str) -> DocumentRow:
        """One document without its content. Raises NotFoundError (DOC-404)."""
        return self._machinery.store.document(document_id)

    def same_patient(self, document_id: str) -> list[DocumentRow]:
        """The documents of the same pseudonym in the same account, oldest first. Raises NotFoundError (DOC-404)."""
        return self._machinery.store.same_patient(document_id)

    def note(self, consulted: Consulted) -> None:
        """Journal a reading or an export. Raises StoreError: then nothing must be shown."""
        self._machinery.store.note_consulted(consulted)

    def _bounded(self, wanted: PageFilter) -> PageFilter:
        """A search by pseudonym goes account by account, by an index."""
        if wanted.patient is None or wanted.accounts:
            return wanted
        return replace(wanted, accounts=tuple(account.id for account in self._machinery.settings.account))
