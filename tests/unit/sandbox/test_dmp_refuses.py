"""Every broken request of the table is refused, with exactly the answer that fits its defect."""

from __future__ import annotations

import pytest

from .builders import feed
from .conftest import Dmp, outcome, reasons
from .defects import DEFECTS, Defect


@pytest.mark.parametrize("defect", DEFECTS, ids=lambda defect: defect.name)
def test_one_defect_one_answer(dmp: Dmp, defect: Defect) -> None:
    draft = dmp.draft(mode=defect.mode)
    defect.change(dmp, draft)
    answer = dmp.send(feed(draft), getattr(dmp.pki, defect.peer))
    found = outcome(answer)
    expected = defect.expected if isinstance(defect.expected, tuple) else (defect.expected,)
    if found[0] == "Fault":
        assert found[-1] == expected[0], reasons(answer)
    else:
        assert set(found) == set(expected), reasons(answer)
    assert dmp.store.documents() == [], "a refused submission left something behind"


def test_the_table_is_long_enough_and_names_each_defect_once() -> None:
    names = [defect.name for defect in DEFECTS]
    assert len(names) == len(set(names))
    assert len(names) >= 120
