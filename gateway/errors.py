"""Errors of the gateway: one stable code for machines, French text and advice for people.

Checks never raise on bad input, they return findings (see `gateway.findings`). An exception means that
the gateway itself cannot go on: bad configuration, a broken store, a call that contradicts an earlier one.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gateway.findings import Finding


class GatewayError(Exception):
    """Base of every error raised on purpose.

    `code` is stable and documented (`CFG-001`); `message` and `advice` are French text for the user.
    """

    def __init__(self, code: str, message: str, advice: str = "") -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.advice = advice

    def __str__(self) -> str:
        """One line: code, message, advice."""
        return f"[{self.code}] {self.message}" + (f" {self.advice}" if self.advice else "")


class ConfigError(GatewayError):
    """The configuration cannot be used as it stands."""


class InputError(GatewayError, ValueError):
    """A submission was refused; `findings` say why, one by one."""

    def __init__(self, findings: Sequence[Finding], message: str = "La saisie est refusée.") -> None:
        first = findings[0] if findings else None
        super().__init__(first.code if first else "INP-000", message, first.message if first else "")
        self.findings = tuple(findings)


class ConflictError(GatewayError):
    """The same idempotency key was used with another content."""


class MappingError(GatewayError, LookupError):
    """A mapping file is missing, malformed, or lacks a row that the code relies on."""


class RenderError(GatewayError):
    """A document could not be rendered although its input passed the checks."""


class PackageError(GatewayError):
    """A document cannot be packaged for this destination: something that its protocol demands is not there."""


class StoreError(GatewayError):
    """The store cannot be opened, is locked, full, damaged, or belongs to another gateway."""


class NotFoundError(GatewayError, LookupError):
    """No document or delivery has this identifier."""


class StateError(GatewayError):
    """The operation is not allowed in the delivery's present state."""


class UnavailableError(GatewayError):
    """A service that answers questions, or what stands in for it, cannot answer now."""


class FileRefusedError(GatewayError):
    """A file that somebody gave is not what was asked for, or not whole: nothing of it was taken."""


class LeaseLostError(GatewayError):
    """The worker no longer owns the delivery: it must not put another byte on the wire."""
