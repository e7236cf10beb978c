"""How long the content of what is finished stays. The journal, the states and the frozen facts stay for ever."""

from __future__ import annotations

from typing import Self

from pydantic import Field, model_validator

from gateway.settings.base import Table

RECORD_DAYS = 7305
"""Twenty years after the last care: how long a patient's record may be kept (CNIL, délibération 2020-081 du 18 juin
2020, five years at hand and fifteen archived; the record itself: CSP, article R4321-91)."""


class RetentionSettings(Table):
    """Days after the end of every delivery of a document; what is not finished is never touched, however old.

    `mails_days`: the messages as they were transmitted, which hold the document once more. `documents_days`: everything
    else, whose key is then destroyed. Less than twenty years, or a document erased for want of room, asks for
    `record_kept_elsewhere`: the practice's own software holds the patient's record, as R4321-91 wants it.
    `max_megabytes` caps the store (0: no cap): above it the oldest finished goes first, and nothing that ended less
    than `at_least_days` ago.
    """

    mails_days: int = Field(default=366, ge=90)
    documents_days: int = Field(default=RECORD_DAYS, ge=90)
    record_kept_elsewhere: bool = False
    max_megabytes: float = Field(default=0.0, ge=0)
    at_least_days: int = Field(default=90, ge=30)
    every_hours: float = Field(default=24.0, gt=0)

    @model_validator(mode="after")
    def _the_record_is_somewhere(self) -> Self:
        if self.documents_days < RECORD_DAYS and not self.record_kept_elsewhere:
            raise ValueError(
                f"moins de {RECORD_DAYS} jours (20 ans) demande record_kept_elsewhere = true : "
                "le dossier du patient est tenu ailleurs"
            )
        return self
