"""TransferRequest: the one document that starts a transfer.

The format is FIONA's transfer request (a flat REDCap record, UTF-8, one JSON object; see `docs/request.md`) with two
additions of Airlock's, `source` and `options`. Unknown keys are kept and ignored, as resent requests carry many.
"""

from __future__ import annotations

import json
import re
from typing import Annotated, Any, Literal, Self

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
    field_validator,
    model_validator,
)
from pydantic_core import PydanticCustomError

from airlock.errors import InvalidRequest
from airlock.identity.keys import KeyRing
from airlock.project_parts import Level, Method

# PS3.5 section 9.1: components without leading zeros, 64 characters at most.
UID_PATTERN = r"^(0|[1-9][0-9]*)(\.(0|[1-9][0-9]*))+$"
# LO as PS3.5 section 6.2 has it (64 characters, no backslash, no control characters), not only blanks.
TEXT_PATTERN = r"^[^\\\x00-\x1f\x7f]*[^\\\x00-\x1f\x7f\s][^\\\x00-\x1f\x7f]*$"
CONNECTION_PATTERN = r"^[A-Za-z0-9_.-]+$"
MAX_REQUEST_BYTES = 1 << 20
NO_STUDY = "study_instance_uid: is missing"


def _number(value: Any) -> Any:
    return int(value) if isinstance(value, str) and re.fullmatch(r"[0-9]{1,6}", value) else value


# Without the wildcards of C-FIND (PS3.4 section C.2.2.2.4): a request never means whatever matches.
KEY_PATTERN = r"^[^\\*?\x00-\x1f\x7f]*[^\\*?\x00-\x1f\x7f\s][^\\*?\x00-\x1f\x7f]*$"
DATE_PATTERN = r"^[0-9]{8}(-[0-9]{8})?$"
Uid = Annotated[str, StringConstraints(pattern=UID_PATTERN, max_length=64)]
Key = Annotated[str, StringConstraints(pattern=KEY_PATTERN, max_length=64, strip_whitespace=True)]
Text = Annotated[str, StringConstraints(pattern=TEXT_PATTERN, max_length=64, strip_whitespace=True)]


class Source(BaseModel):
    """Where this study comes from, when not from where the project's policy says."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    method: Method
    connection: Annotated[str, StringConstraints(pattern=CONNECTION_PATTERN, max_length=250)] | None = None
    level: Level | None = None
    accession_number: Key | None = None
    patient_id: Key | None = None
    study_date: Annotated[str, StringConstraints(pattern=DATE_PATTERN)] | None = None
    several: Literal["hold", "all"] | None = Field(
        default=None, description="when several studies match; `all` for an accession number, else `hold`"
    )
    studies: tuple[Uid, ...] | None = Field(default=None, description="the studies, when there are several")


class Options(BaseModel):
    """How this transfer is run.

    :param date_offset_days: by how many days its dates move, where they do; for a project that knows its own offsets.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    dry_run: bool = False
    stop_before_send: bool = False
    priority: Literal["low", "normal", "high"] = "normal"
    date_offset_days: Annotated[int, Field(ge=-36500, le=36500)] | None = None


class TransferRequest(BaseModel):
    """One study for one research subject of one project.

    Names of fields are FIONA's, so that its request files are read unchanged.
    """

    model_config = ConfigDict(extra="allow", frozen=True, hide_input_in_errors=True)

    schema_version: Literal[1] = 1
    study_instance_uid: Uid = Field(
        default="", description="may be left out when `source` says what the study is found by"
    )
    transfer_project_name: Text
    transfer_name: Text = Field(description="research subject id; becomes PatientID and PatientName")
    transfer_event_name: Annotated[str, StringConstraints(pattern=r"^[^\\\x00-\x1f\x7f]*$", max_length=64)] = ""
    redcap_repeat_instrument: str = "transfers"
    redcap_repeat_instance: Annotated[int, BeforeValidator(_number), Field(ge=1)] = 1
    source: Source | None = None
    options: Options = Options()

    @field_validator("options")
    @classmethod
    def _dates_move(cls, options: Options) -> Options:
        if options.date_offset_days == 0:
            raise ValueError("date_offset_days: dates that move by 0 days do not move")
        return options

    @model_validator(mode="after")
    def _study_is_named(self) -> Self:
        source = self.source
        by_keys = source is not None and (
            bool(source.studies) or (source.method != "raw" and (source.accession_number or source.patient_id))
        )
        if not self.study_instance_uid and not by_keys:
            raise PydanticCustomError("no_study", NO_STUDY)
        if by_keys and source and source.patient_id and not (source.study_date or source.accession_number):
            raise PydanticCustomError("no_date", "source.study_date: is needed with source.patient_id")
        return self

    @property
    def studies(self) -> tuple[str, ...]:
        """The studies that are asked for; none as long as they must be searched at the source."""
        if self.source is not None and self.source.studies:
            return self.source.studies
        return (self.study_instance_uid,) if self.study_instance_uid else ()

    @property
    def file_name(self) -> str:
        """FIONA's name of the request file. It holds the StudyInstanceUID: never log it."""
        parts = (
            self.study_instance_uid,
            self.transfer_project_name,
            self.transfer_name,
            str(self.redcap_repeat_instance),
        )
        return re.sub(r"[/\x00]", "-", "_".join(parts)) + ".json"

    def transfer_id(self, keys: KeyRing) -> str:
        """Return the opaque id of the transfer: the same request always has the same, on every door.

        It names the DAG run, the workspace and the ledger row. It is keyed, so nobody without the deployment key can
        confirm a guess of the study behind it.
        """
        identity: list[Any] = [
            self.study_instance_uid,
            self.transfer_project_name,
            self.transfer_name,
            self.transfer_event_name,
            self.redcap_repeat_instance,
            self.options.dry_run,
            self.options.stop_before_send,
        ]
        if self.options.date_offset_days is not None:
            identity.append(self.options.date_offset_days)
        # A study that must be searched is told from others by what it is searched by.
        if self.source is not None and not self.study_instance_uid:
            identity += [self.source.accession_number, self.source.patient_id, self.source.study_date]
            identity += self.source.studies or ()
        return "transfer-" + keys.token("transfer-id", json.dumps(identity))


def parse_request(content: bytes | str) -> TransferRequest:
    """Read a request document.

    :param content: UTF-8 JSON, one object, 1 MiB at most.
    :raises InvalidRequest: naming the fields and what is wrong with them, never their values.
    """
    if len(content) > MAX_REQUEST_BYTES:
        raise InvalidRequest("The request is larger than 1 MiB. A request file holds one JSON object with one request.")
    try:
        document = json.loads(content)
    except UnicodeDecodeError:
        raise InvalidRequest("The request is not UTF-8 text.") from None
    # Python refuses numbers of more than 4,300 digits with a plain ValueError.
    except (ValueError, RecursionError) as error:
        where = (
            f" (line {error.lineno}, column {error.colno}: {error.msg})"
            if isinstance(error, json.JSONDecodeError)
            else ""
        )
        raise InvalidRequest(f"The request is not valid JSON{where}. Write the file again as a whole.") from None
    if not isinstance(document, dict):
        raise InvalidRequest("The request is not a JSON object. A request file holds one object with one request.")
    return validate_request(document)


def validate_request(document: dict[str, Any]) -> TransferRequest:
    """Check a request that is already an object. Raises and returns as :func:`parse_request`."""
    try:
        return TransferRequest.model_validate(document)
    except ValidationError as error:
        told = [_say("empty" if e["input"] == "" else e["type"], e["loc"], e["msg"]) for e in error.errors()]
        # Whether the study is named is only looked at when the rest is right.
        if not document.get("study_instance_uid") and not document.get("source"):
            told.insert(0, NO_STUDY)
        problems = "; ".join(dict.fromkeys(told))
        raise InvalidRequest(f"The request is not valid. {problems}") from None


def _say(kind: str, path: tuple[int | str, ...], message: str) -> str:
    """Pydantic's problem, in the words of the person who wrote the request. An unknown key is not repeated."""
    if kind == "extra_forbidden":
        return f"{'.'.join(map(str, path[:-1]))}: has a key that is not known here"
    if not path:
        return message
    words = {
        "missing": "is missing",
        "empty": "is empty",
        "string_pattern_mismatch": "has characters that are not allowed here",
    }
    return f"{'.'.join(map(str, path))}: {words.get(kind, message)}"
