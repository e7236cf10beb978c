"""MSSanté: secure health mail, by SMTP to the account's operator."""

from gateway.channels.mssante.channel import MssanteChannel

__all__ = ["MssanteChannel"]
