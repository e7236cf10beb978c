"""A foreign export becomes submissions by the rules of a TOML file, without code (docs/mapping.md).

Nothing of the export is dropped in silence: a value that no table knows, that no converter can read, or that no rule
takes is a finding with its row and column. Findings never repeat a value: it may be an identity.
"""

from gateway.mapping.apply import Mapped, apply
from gateway.mapping.model import VendorMapping, load, names

__all__ = ["Mapped", "VendorMapping", "apply", "load", "names"]
