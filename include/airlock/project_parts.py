"""The parts of a project policy that say where studies come from, where they go, and who is told."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

Method = Literal["raw", "c-move", "c-get", "dicomweb"]
Level = Literal["study", "series", "image"]
Hours = Annotated[str, StringConstraints(pattern=r"^([01]\d|2[0-3]):[0-5]\d-([01]\d|2[0-3]):[0-5]\d$")]


class Part(BaseModel):
    """A part of a policy: no unknown word in it, and nothing changes it."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class SourcePolicy(Part):
    """Where a study comes from when the request doesn't say."""

    method: Method = "raw"
    connection: str | None = Field(default=None, description="Airflow connection of the staging PACS")
    level: Level = Field(default="study", description="of the requests that a whole study is asked for with")
    guard: bool = Field(default=True, description="prove with one image that C-MOVE leads here, before the rest moves")
    at_a_time: int = Field(
        default=0, ge=0, description="transfers of this machine that pull there at a time; 0: no limit"
    )
    test_study: str | None = Field(
        default=None, pattern=r"^[0-9.]{1,64}$", description="StudyInstanceUID of the study that is used to prove it"
    )


class DestinationPolicy(Part):
    """Where de-identified studies go, how much at a time, and how it is proven that they arrived."""

    connection: str = Field(default="research_pacs", min_length=1, max_length=250)
    method: Literal["c-store", "stow-rs"] = "c-store"
    proof: Literal["query", "storage-commitment"] = Field(
        default="query", description="query: C-FIND, or QIDO-RS after STOW-RS; the other: the PACS commits itself"
    )
    commitment_seconds: float = Field(default=120, gt=0, description="how long the PACS may take to commit itself")
    busy_retries: int = Field(default=2, ge=0, description="how often what a busy PACS refused is sent again at once")
    busy_seconds: float = Field(default=5, ge=0, description="wait before the first of these, doubled each time")
    batch: int = Field(
        default=10000, ge=1, description="instances per association or, for STOW-RS, at most per request"
    )
    at_a_time: int = Field(default=0, ge=0, description="transfers of this machine that send at a time; 0: no limit")
    kilobytes_per_second: float = Field(default=0, ge=0, description="of this machine's task; 0: no limit")
    hours: tuple[Hours, ...] = Field(default=(), description="local times in which may be sent, as 20:00-06:00")


class RedcapPolicy(Part):
    """Where the outcome is told. `fields` renames S1's status fields (see `airlock.redcap`)."""

    connection: str = "redcap"
    fields: dict[str, str] = Field(default_factory=dict)


class PixelsPolicy(Part):
    """Burned-in text. `rewrite: false` is FIONA's `project_features___1`."""

    rewrite: bool = True
    confidence: int = Field(default=20, ge=0, le=100, description="percent; text below it is left, unless it is known")
    safe_words: tuple[str, ...] = Field(
        default=("A", "P", "I", "L", "R", "H", "F", "S", "PATIENT", "NAME", "STUDY", "PROTOCOL", "DATE"),
        description="left when they stand alone and were read without doubt; FIONA's list, and F and S",
    )


class ApprovalPolicy(Part):
    """When the ethics approval holds, both days included; outside it nothing is accepted and nothing is sent."""

    start: date | None = None
    end: date | None = None
