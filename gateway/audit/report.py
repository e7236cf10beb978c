"""What a verification found, and, as important, what it could not exclude."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from gateway.findings import Finding, has_errors
from gateway.store.anchors import Anchor


@dataclass(frozen=True, slots=True)
class Report:
    """Result of a verification.

    `signed` counts the records below the largest valid checkpoint, `held` those below the checkpoint that the
    verifier brought; `trusted_key` says whether the public key came from the verifier or from what is verified;
    `anchors` are the time stamps that verified, of `stamps` present.
    """

    findings: tuple[Finding, ...]
    size: int
    root: str
    signed: int
    held: int
    trusted_key: bool
    checkpoints: int
    anchors: tuple[Anchor, ...] = ()
    stamps: int = 0

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
        if self.signed and self.trusted_key:
            found.append(
                f"une réécriture des {self.signed} premiers enregistrements par qui n'a pas la clé de signature"
            )
        if self.held:
            found.append(f"une réécriture des {self.held} premiers enregistrements, même par le détenteur de la clé")
            found.append(f"une troncature avant l'enregistrement {self.held}")
        found += [
            f"une réécriture des {one.size} premiers enregistrements après le {one.at:%d/%m/%Y à %H:%M} (UTC), même "
            f"par le détenteur de la clé : horodatés par {one.authority}"
            for one in self._widest()
        ]
        return tuple(found)

    def _widest(self) -> tuple[Anchor, ...]:
        """The first anchor and the one that covers most; between them nothing new is excluded."""
        if not self.anchors:
            return ()
        first, last = min(self.anchors, key=lambda one: one.at), max(self.anchors, key=lambda one: one.size)
        return (first,) if first == last else (first, last)

    @property
    def not_excluded(self) -> tuple[str, ...]:
        """What it could not exclude, and what would."""
        found = []
        if not self.held:
            found.append(
                "une réécriture ou une troncature par le détenteur de la clé : "
                "pour l'exclure, donner un point de contrôle antérieur (--checkpoint)"
            )
        elif self.held < self.size:
            found.append(
                f"une réécriture des {self.size - self.held} derniers enregistrements, ou une troncature au-delà "
                "du point de contrôle donné, par le détenteur de la clé"
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
