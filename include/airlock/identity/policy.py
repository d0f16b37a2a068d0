"""How a project names its patients: the `identity` section of its policy."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from airlock.identity.pattern import IdPattern


class IdentityPolicy(BaseModel):
    """Who a patient becomes (docs/identity.md). What is known already is never changed by another choice here."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    patient: Literal["request", "running", "pattern", "hash", "service", "cut_ties"] = "request"
    several_subjects: bool = Field(default=False, description="a patient may be requested under several subject ids")
    site: str = Field(default="", pattern=r"^[A-Za-z0-9.]{0,40}$", description="`running`: <site>-<6 digits>")
    pattern: str = Field(
        default="",
        max_length=200,
        description="`pattern`: regular expression that ids match; `subject_pattern` when empty",
    )
    service: str = Field(default="", description="`service`: URL of the identity service")
    uids: Literal["keyed", "fiona", "fiona_hex"] = "keyed"
    illegal_uids: Literal["hold", "replace", "keep"] = Field(
        default="hold", description="FIONA's UIDs that PS3.5 section 9.1 forbids"
    )
    accession: Literal["empty", "keyed", "running", "fiona", "service"] = "empty"
    dates: Literal["keyed", "constant", "service"] = "keyed"
    shift_days: int = Field(default=42, ge=-36500, le=36500, description="`constant`: days that are added to dates")

    @model_validator(mode="after")
    def _check(self) -> Self:
        for method, needed in (("running", "site"), ("service", "service")):
            if self.patient == method and not getattr(self, needed):
                raise ValueError(f"patient: {method} needs {needed}")
        if self.pattern:
            IdPattern(self.pattern)
        if "service" in (self.accession, self.dates) and self.patient != "service":
            raise ValueError("accession or dates of the service need patient: service")
        return self
