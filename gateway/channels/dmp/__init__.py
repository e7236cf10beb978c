"""DMP: the national shared record, fed by ITI-41 after the existence test TD0.2."""

from gateway.channels.dmp.channel import DmpChannel

__all__ = ["DmpChannel"]
