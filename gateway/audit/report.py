"""What a verification found, and, as important, what it could not exclude."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from gateway.findings import Finding, has_errors
from gateway.store.anchors import Anchor

_NO_CHECKPOINT = (
    "une réécriture ou une troncature par le détenteur de la clé : "
    "pour l'exclure, donner un point de contrôle antérieur (--checkpoint)"
)


@dataclass(frozen=True, slots=True)
class Shard:
    """What was verified of one shard: how many records and their root, how many of them stand below its largest valid
    checkpoint (`signed`) and below the one that the verifier brought (`held`), and how many checkpoints fit.
    """

    number: int
    size: int
    root: str
    signed: int
    held: int
    checkpoints: int

    def as_dict(self) -> dict[str, object]:
        """JSON-ready."""
        return {"shard": self.number, **{name: getattr(self, name) for name in ("size", "root", "signed", "held")}}


@dataclass(frozen=True, slots=True)
class Report:
    """Result of a verification, of every shard of the journal (SQLite has one).

    `trusted_key` says whether the public key came from the verifier or from what is verified; `anchors` are the time
    stamps that verified, of `stamps` present.
    """

    findings: tuple[Finding, ...]
    shards: tuple[Shard, ...]
    trusted_key: bool
    anchors: tuple[Anchor, ...] = ()
    stamps: int = 0

    @property
    def size(self) -> int:
        """Records."""
        return sum(shard.size for shard in self.shards)

    @property
    def root(self) -> str:
        """Root of the first shard's tree, hex."""
        return self.shards[0].root

    @property
    def signed(self) -> int:
        """Records below the largest valid checkpoints."""
        return sum(shard.signed for shard in self.shards)

    @property
    def held(self) -> int:
        """Records below the checkpoints that the verifier brought."""
        return sum(shard.held for shard in self.shards)

    @property
    def checkpoints(self) -> int:
        """Checkpoints that fit."""
        return sum(shard.checkpoints for shard in self.shards)

    def _of(self, number: int) -> str:
        return f" de la chaîne {number}" if len(self.shards) > 1 else ""

    @property
    def ok(self) -> bool:
        """Whether nothing contradicts the journal. A restored backup that the journal itself tells of is a warning."""
        return not has_errors(self.findings)

    @property
    def excluded(self) -> tuple[str, ...]:
        """What this verification excludes, in French; empty when something is wrong."""
        if not self.ok:
            return ()
        found = ["une erreur, ou une modification faite sans recalculer toute la suite du journal"]
        for shard in self.shards:
            records = f"premiers enregistrements{self._of(shard.number)}"
            if shard.signed and self.trusted_key:
                found.append(f"une réécriture des {shard.signed} {records} par qui n'a pas la clé de signature")
            if shard.held:
                found.append(f"une réécriture des {shard.held} {records}, même par le détenteur de la clé")
                found.append(f"une troncature avant l'enregistrement {shard.held}{self._of(shard.number)}")
        found += [
            f"une réécriture des {one.size} premiers enregistrements{self._of(one.shard)} "
            f"après le {one.at:%d/%m/%Y à %H:%M} (UTC), même par le détenteur de la clé : horodatés par {one.authority}"
            for one in self._widest()
        ]
        return tuple(found)

    def _widest(self) -> tuple[Anchor, ...]:
        """Of each shard the first anchor and the one that covers most; between them nothing new is excluded."""
        found: list[Anchor] = []
        for number in sorted({one.shard for one in self.anchors}):
            of = [one for one in self.anchors if one.shard == number]
            first, last = min(of, key=lambda one: one.at), max(of, key=lambda one: one.size)
            found += [first] if first == last else [first, last]
        return tuple(found)

    @property
    def not_excluded(self) -> tuple[str, ...]:
        """What it could not exclude, and what would."""
        found = [] if self.held else [_NO_CHECKPOINT]
        for shard in self.shards if self.held else ():
            of = self._of(shard.number)
            if not shard.held and shard.size:
                found.append(_NO_CHECKPOINT + of)
            elif shard.held < shard.size:
                found.append(
                    f"une réécriture des {shard.size - shard.held} derniers enregistrements{of}, ou une troncature "
                    "au-delà du point de contrôle donné, par le détenteur de la clé"
                )
        if self.stamps and not self.anchors:
            found.append(
                "que les horodatages présents soient faux : pour l'exclure, donner les racines de l'autorité (--tsa)"
            )
        if not self.trusted_key:
            found.append("un journal entier refait avec une autre clé : pour l'exclure, donner la clé publique")
        return tuple(found)

    @property
    def summary(self) -> str:
        """The result in French, one fact a line."""
        lines = [
            f"Journal : {self.size} enregistrements, {self.checkpoints} points de contrôle signés.",
            "La chaîne tient." if self.ok else "Le journal a été altéré ou est incomplet :",
        ]
        lines += [f"- [{f.code}] {f.path} : {f.message}" for f in self.findings[:50]]
        if len(self.findings) > 50:
            lines.append(f"- et {len(self.findings) - 50} autres")
        lines += [f"Exclu : {text}." for text in self.excluded]
        lines += [f"Non exclu : {text}." for text in self.not_excluded]
        return "\n".join(lines)

    def as_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        return {
            "ok": self.ok,
            "size": self.size,
            "root": self.root,
            **({"shards": [shard.as_dict() for shard in self.shards]} if len(self.shards) > 1 else {}),
            "checkpoints": self.checkpoints,
            "signed": self.signed,
            "held": self.held,
            "trusted_key": self.trusted_key,
            "anchors": [one.as_dict() for one in self.anchors],
            "stamps": self.stamps,
            "findings": [finding.as_dict() for finding in self.findings],
            "excluded": list(self.excluded),
            "not_excluded": list(self.not_excluded),
        }
