"""What a gateway offers to who reports and audits."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from gateway.api.machinery import Machinery

if TYPE_CHECKING:
    from gateway.api.clocks import Clocks
    from gateway.api.exports import Exports
    from gateway.api.report import Reporting


class Auditing(Machinery):
    """The part of the facade that reads what was done, and by what clock."""

    @cached_property
    def report(self) -> Reporting:
        """The indicators of a period: `gateway.report("2026")`; declarations and the protocols' table beside."""
        from gateway.api.report import Reporting

        return Reporting(self)

    @cached_property
    def clocks(self) -> Clocks:
        """This machine's clock against the servers': measurements and findings."""
        from gateway.api.clocks import Clocks

        return Clocks(self)

    @cached_property
    def exports(self) -> Exports:
        """Exports of the journal that verify offline."""
        from gateway.api.exports import Exports

        return Exports(self)
