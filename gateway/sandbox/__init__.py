"""The other side, for demo and tests: an MSSanté operator and a DMP on loopback.

It parses and checks with code of its own and never with the gateway's writers, so that a fault of theirs
cannot hide in ours. `gateway.sandbox.service.Sandbox` starts it.
"""

from gateway.sandbox.faults import Channel, FaultKind, Faults
from gateway.sandbox.service import Sandbox

__all__ = ["Channel", "FaultKind", "Faults", "Sandbox"]
