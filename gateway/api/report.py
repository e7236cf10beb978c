"""The indicators as the library offers them: the ARS's six figures, declarations, the protocols' table."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.audit import ledger, tables
from gateway.audit.indicators import Basis, Indicators, compute, words
from gateway.audit.period import Period, parse
from gateway.errors import NotFoundError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gateway.api.machinery import Machinery
    from gateway.audit.declarations import Declaration
    from gateway.audit.ledger import Ledger, Progress
    from gateway.audit.protocols import ProtocolRow


class Reporting:
    """Figures of the journal and the frozen facts. Called, it gives the six figures of a period."""

    def __init__(self, machinery: Machinery) -> None:
        self._machinery = machinery

    def __call__(
        self,
        period: Period | str,
        *,
        account: str | None = None,
        at: str | None = None,
        suppress_below: int | None = None,
        progress: Progress | None = None,
    ) -> Indicators:
        """The six figures of a period (`2026`, `2026-Q1`, `2026-03`, `2026-01-15..2026-02-14`).

        `at` computes them as of an earlier checkpoint: its size, its text, or the JSON of an earlier report.
        `suppress_below` stands in for the setting. Raises InputError (IND-001), NotFoundError (IND-002), StoreError.
        """
        return self.figures(self.basis(account, at, progress), period, suppress_below=suppress_below)

    def figures(self, basis: Basis, period: Period | str, *, suppress_below: int | None = None) -> Indicators:
        """The six figures from what was read already."""
        return compute(basis, _period(period), self._threshold(suppress_below))

    def basis(self, account: str | None = None, at: str | None = None, progress: Progress | None = None) -> Basis:
        """What every table of this class is computed from; read once, used for several.

        Facts of documents that an earlier release took over are frozen first, unless `at` asks for the past. Raises
        NotFoundError (IND-002 no such checkpoint, IND-007 no such account), StoreError.
        """
        from gateway.engine import facts

        store = self._machinery.store
        if at is None:
            facts.complete(store)
        read: Ledger = ledger.read(store, at, progress)
        self._check(account, read)
        return Basis.of(read, store.facts(), account)

    def pdf(self, found: Indicators) -> bytes:
        """The figures on one page with their plots, PDF/A-1b. Raises RenderError."""
        from gateway.audit.page import view
        from gateway.render.pdf import indicators

        now = self._machinery.clock.now().replace(microsecond=0)
        return indicators.render(view(found, now), now)

    def protocols_pdf(self, rows: list[ProtocolRow], basis: Basis, period: Period | str) -> bytes:
        """The protocols' table, PDF/A-1b. Raises RenderError."""
        from gateway.audit.protocols import view
        from gateway.render.pdf import indicators

        now = self._machinery.clock.now().replace(microsecond=0)
        return indicators.render(view(rows, basis, _period(period)), now, "protocols.typ")

    def protocols(
        self, period: Period | str, *, basis: Basis | None = None, suppress_below: int | None = None
    ) -> list[ProtocolRow]:
        """The cooperation protocols' table, quarter by quarter. Raises like the figures."""
        from gateway.audit import protocols

        return protocols.table(basis or self.basis(), _period(period), self._threshold(suppress_below))

    def declarations(self, kind: str, period: Period | str, *, basis: Basis | None = None) -> list[Declaration]:
        """Reorientations (`reorientations`) or undesirable events (`adverse_events`) of a period, without identity."""
        from gateway.audit import declarations

        make = {"reorientations": declarations.reorientations, "adverse_events": declarations.adverse_events}[kind]
        return make(basis or self.basis(), _period(period))

    def declarations_csv(
        self,
        kind: str,
        period: Period | str,
        *,
        basis: Basis | None = None,
        identified_by: str | None = None,
    ) -> str:
        """The same as CSV. `identified_by`: the person who asks for the identities too; it is journalled first.

        Raises InputError (DLV-003: no name).
        """
        from gateway.audit.declarations import columns

        basis = basis or self.basis()
        found = self.declarations(kind, period, basis=basis)
        heads: tuple[str, ...] = columns(kind)
        lines: list[Sequence[str]] = [(str(n), *one.cells) for n, one in enumerate(found, 1)]
        if identified_by is not None:
            self._note(f"declaration_{kind}_identity", identified_by, basis.account, len(found))
            heads += tuple(words()["identity"]["columns"])
            lines = [(*line, *self._identity(one)) for line, one in zip(lines, found, strict=True)]
        return tables.written(heads, lines)

    def _check(self, account: str | None, read: Ledger) -> None:
        """An account that is configured, or that sent something once. Raises NotFoundError (IND-007)."""
        known = {one.id for one in self._machinery.settings.account} | {one.account for one in read.papers.values()}
        if account is not None and account not in known:
            raise NotFoundError("IND-007", f"Aucun compte {account}.", f"Comptes : {', '.join(sorted(known))}.")

    def _note(self, kind: str, by: str, account: str | None, size: int) -> None:
        from gateway.store.browsing_types import Consulted

        self._machinery.store.note_consulted(Consulted("exported", by, kind, account=account, size=size))

    def _identity(self, one: Declaration) -> tuple[str, ...]:
        """Who it is about, from what is sealed of the document; what was erased stays unknown."""
        from gateway.engine import stored

        store = self._machinery.store
        submission = stored.submission(store, store.document(one.document))
        if submission is None:
            gone = words()["identity"]["erased"]
            return (one.account, gone, gone, gone, gone, gone, one.document)
        person = submission.patient
        matricule = person.ins.matricule if person.ins else ""
        given = person.first_birth_given or next(iter(person.birth_given), "")
        names = (person.birth_family or "", given, "" if person.birth_date is None else person.birth_date.isoformat())
        return (one.account, submission.author.rpps, matricule, *names, one.document)

    def _threshold(self, given: int | None) -> int:
        return self._machinery.settings.indicators.suppress_below if given is None else given


def _period(period: Period | str) -> Period:
    return parse(period) if isinstance(period, str) else period
