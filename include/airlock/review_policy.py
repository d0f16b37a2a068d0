"""ReviewPolicy: when a person decides about burned-in text, as a project's policy says it in its section `review`."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class ReviewWhen(BaseModel):
    """Which doubts there are.

    :param disagreement: the header says that text is burned in, and none was found.
    :param low_confidence: text was read with less than `below_confidence` percent.
    :param modalities: every picture of these modalities (PS3.3 section C.7.3.1.1.1) is doubtful.
    :param always: every picture is doubtful.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    disagreement: bool = True
    low_confidence: bool = True
    below_confidence: int = Field(default=50, ge=0, le=100)
    modalities: tuple[str, ...] = ()
    always: bool = False


class ReviewPolicy(BaseModel):
    """What happens with doubts.

    `auto` masks what was found and goes on; `review` asks a person and holds the transfer when nobody has answered in
    `timeout_days`; `hold` holds doubtful instances without asking. `release` asks a person before anything is sent,
    in every mode.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    mode: Literal["auto", "review", "hold"] = "auto"
    when: ReviewWhen = ReviewWhen()
    timeout_days: float = Field(default=5, gt=0, le=365)
    release: bool = False
