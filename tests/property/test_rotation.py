"""Whatever the order of accepting, rotating, retiring, erasing and opening again: every document that was not erased
opens, with its own content, in every process; and no key that something needs can be destroyed.

`ROTATION_STEPS=20000` drives it further.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from gateway.errors import NotFoundError, StateError
from gateway.store import keyring
from gateway.store.outbox import Outbox
from tests.unit.store import kit
from tests.unit.store.test_facts import NEW as NEW_FACTS

WHO = {"by": "Anne", "reason": "annuel"}
EACH = 25
"""Steps of one history."""
PROCESSES = 2


class Rotations(RuleBasedStateMachine):
    """Two processes on one store, beside a model that knows which key each document is under."""

    taken = 0

    @initialize()
    def found(self) -> None:
        """A new store."""
        self.folder = tempfile.TemporaryDirectory()
        self.processes = [self._open(number) for number in range(PROCESSES)]
        self.first = self.current = self.processes[0].core.vault.store_id
        self.under: dict[str, str] = {}
        self.facts: dict[str, str] = {}
        self.content: dict[str, bytes] = {}
        self.deliveries: dict[str, tuple[str, ...]] = {}
        self.erased: set[str] = set()
        self.made, self.retired = [self.first], set[str]()
        self.name = self.processes[0].core.vault.pseudonym("cabinet", "p")

    def _open(self, number: int) -> Outbox:
        type(self).taken += 1
        store = kit.open_store(Path(self.folder.name), kit.clock(), seed=f"{number}-{type(self).taken}")
        kit.sql(store, "PRAGMA synchronous = OFF")  # no power cut here
        return store

    @rule(by=st.integers(0, PROCESSES - 1))
    def accept(self, by: int) -> None:
        """A document goes under the key in use, whatever this process knew of it."""
        number = len(self.content)
        made = kit.request(str(number), kit.mail(), facts=NEW_FACTS)
        accepted = self.processes[by].accept(made)
        self.content[accepted.document_id] = made.submission
        self.under[accepted.document_id] = self.facts[accepted.document_id] = self.current
        self.deliveries[accepted.document_id] = accepted.delivery_ids

    @rule(by=st.integers(0, PROCESSES - 1))
    def change_key(self, by: int) -> None:
        """A new key comes into use; nothing is handed over yet."""
        store = self.processes[by]
        self.current = store.add_master_key(**WHO)
        store.use_master_key(self.current, **WHO)
        assert self.current not in self.made
        self.made.append(self.current)

    @rule(by=st.integers(0, PROCESSES - 1), which=st.integers(0, 99), limit=st.integers(1, 4))
    def hand_over(self, by: int, which: int, limit: int) -> None:
        """One batch, from any key: documents first, then facts. Which of them is the store's choice: read it back."""
        old, store = self.made[which % len(self.made)], self.processes[by]
        waiting = [document for document, key in self.under.items() if key == old and document not in self.erased]
        left = waiting or [document for document, key in self.facts.items() if key == old]
        moved = store.rewrap(old, limit=limit).moved
        assert moved == (0 if old == self.current else min(limit, len(left)))
        for table, model in (("document", self.under), ("episode_fact", self.facts)):
            name = "id" if table == "document" else "document_id"
            now = dict(kit.sql(store, f"SELECT {name}, key_id FROM {table}"))
            assert sum(now[one] != key for one, key in model.items()) in {0, moved}
            assert {key for one, key in now.items() if model[one] != key} <= {self.current}
            model.update(now)

    @rule(by=st.integers(0, PROCESSES - 1), which=st.integers(0, 99))
    def retire(self, by: int, which: int) -> None:
        """Refused as long as anything needs the key, whatever the order of things before."""
        key = self.made[which % len(self.made)]
        needed = {one for document, one in self.under.items() if document not in self.erased} | set(self.facts.values())
        if key in needed | {self.current}:
            with pytest.raises(StateError):
                self.processes[by].retire_master_key(key, **WHO)
            return
        self.processes[by].retire_master_key(key, **WHO)
        self.retired.add(key)

    @precondition(lambda self: self.content.keys() - self.erased)
    @rule(by=st.integers(0, PROCESSES - 1), which=st.integers(0, 99))
    def erase(self, by: int, which: int) -> None:
        """Its key goes; its facts stay."""
        left = sorted(self.content.keys() - self.erased)
        document = left[which % len(left)]
        for delivery in self.deliveries[document]:
            self.processes[by].act(delivery, "cancel", by="Anne", reason="x")
        self.processes[by].erase(document, by="Anne")
        self.erased.add(document)

    @rule(which=st.integers(0, PROCESSES - 1))
    def reopen(self, which: int) -> None:
        """A process ends and another begins, with the keyring as it is now."""
        self.processes[which].close()
        self.processes[which] = self._open(which)

    @invariant()
    def everything_opens(self) -> None:
        """In both processes, each document with its own content; what was erased stays so; names stay."""
        for store in getattr(self, "processes", []):
            for document, content in self.content.items():
                if document in self.erased:
                    with pytest.raises(NotFoundError):
                        store.rendering(document, "submission")
                else:
                    assert store.rendering(document, "submission").data == content
            assert len(store.facts()) == len(self.content)
            assert store.core.vault.pseudonym("cabinet", "p") == self.name

    @invariant()
    def the_keyring_is_what_it_should_be(self) -> None:
        """Every key but the retired ones, one file."""
        if hasattr(self, "processes"):
            ring = keyring.load(kit.settings(Path(self.folder.name)).sealing.key_file)
            assert {key.id for key in ring.keys} == set(self.made) - self.retired
            assert ring.store == self.first

    def teardown(self) -> None:
        """Close and remove."""
        for store in getattr(self, "processes", []):
            store.close()
        if hasattr(self, "folder"):
            self.folder.cleanup()


def test_no_order_of_things_loses_a_document() -> None:
    steps = int(os.environ.get("ROTATION_STEPS", "300"))
    found: Any = settings(
        max_examples=max(1, steps // EACH),
        stateful_step_count=EACH,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    run_state_machine_as_test(Rotations, settings=found)
