"""kine-gateway: sends a physiotherapist's documents to the doctor, the patient and the DMP, and proves it.

    from gateway import Gateway

    with Gateway.open("gateway.toml") as gateway:
        report = gateway.check(data)
        submitted = gateway.submit(data)
        gateway.deliver_due()
        print(gateway.status(submitted.document_id))

The names below are the public API; everything else may change. They are imported when first used, so that
`import gateway` costs nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gateway.aio import AsyncGateway
    from gateway.api import Gateway
    from gateway.channels.tokens import SessionNeeded
    from gateway.errors import (
        ConfigError,
        ConflictError,
        GatewayError,
        InputError,
        NotFoundError,
        StateError,
        StoreError,
    )
    from gateway.findings import Finding, Severity
    from gateway.records.submission import Submission
    from gateway.settings import Settings
    from gateway.views import DeliveryHistory, DeliveryView, DocumentView, Rendered, Report, Submitted

    __version__: str

_HOMES = {
    "AsyncGateway": "gateway.aio",
    "Gateway": "gateway.api",
    "SessionNeeded": "gateway.channels.tokens",
    "ConfigError": "gateway.errors",
    "ConflictError": "gateway.errors",
    "GatewayError": "gateway.errors",
    "InputError": "gateway.errors",
    "NotFoundError": "gateway.errors",
    "StateError": "gateway.errors",
    "StoreError": "gateway.errors",
    "Finding": "gateway.findings",
    "Severity": "gateway.findings",
    "Submission": "gateway.records.submission",
    "Settings": "gateway.settings",
    "DeliveryHistory": "gateway.views",
    "DeliveryView": "gateway.views",
    "DocumentView": "gateway.views",
    "Rendered": "gateway.views",
    "Report": "gateway.views",
    "Submitted": "gateway.views",
}

__all__ = [
    "AsyncGateway",
    "ConfigError",
    "ConflictError",
    "DeliveryHistory",
    "DeliveryView",
    "DocumentView",
    "Finding",
    "Gateway",
    "GatewayError",
    "InputError",
    "NotFoundError",
    "Rendered",
    "Report",
    "SessionNeeded",
    "Settings",
    "Severity",
    "StateError",
    "StoreError",
    "Submission",
    "Submitted",
]


def __getattr__(name: str) -> object:
    """Import a public name, or compute the version, on first use."""
    if name == "__version__":
        from importlib.metadata import version

        return version("kine-gateway")
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
