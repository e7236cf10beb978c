"""The library face."""

from gateway.api.facade import Gateway

__all__ = ["Gateway"]
