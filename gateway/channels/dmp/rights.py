"""What the authentication mode lets a physiotherapist's software ask of the DMP (PDT-INF-526, spec dmp §1.5).

Checked before anything leaves: a refusal by the DMP would say less, and later.
"""

from __future__ import annotations

from typing import Literal, get_args

from gateway.package.types import Change

Reading = Literal["test", "find", "sets", "links", "retrieve"]
"""TD0.2, TD3.1 (three questions), TD3.2."""
Operation = Reading | Change
Mode = Literal["direct", "indirect"]

REFUSED = "DMP-RIGHTS"
"""The authentication mode does not allow it: nothing was asked."""
_INDIRECT: frozenset[str] = frozenset({"test", "find", "sets", "links", "delete"})
_DIRECT: frozenset[str] = frozenset({*get_args(Reading), *get_args(Change)})


def allowed(mode: Mode, operation: Operation) -> bool:
    """Whether a professional's own certificate (direct) or a structure's (indirect) may do it.

    Searches in indirect mode bring references only; changes are of one's own documents only.
    """
    return operation in (_DIRECT if mode == "direct" else _INDIRECT)
