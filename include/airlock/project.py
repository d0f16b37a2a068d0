"""ProjectPolicy: what a research project may receive and how it is de-identified.

One YAML file per project in `AIRLOCK_PROJECTS`, and beside them what REDCap says about projects (`airlock.registry`).
A file is validated as a whole when it is loaded; an unknown word stops the load with file, line and reason.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from airlock.errors import InvalidRequest, NotApproved, PolicyError, UnknownProject
from airlock.registry import FILE_NAME, Registry, read_registry

Method = Literal["raw", "c-move", "c-get"]

Option = Literal[
    "retain_uids",
    "retain_device_identity",
    "retain_institution_identity",
    "retain_patient_characteristics",
    "retain_longitudinal_full_dates",
    "retain_longitudinal_modified_dates",
    "clean_descriptors",
]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class SourcePolicy(_Part):
    """Where a study comes from when the request doesn't say."""

    method: Method = "raw"
    connection: str | None = Field(default=None, description="Airflow connection of the staging PACS")


class DestinationPolicy(_Part):
    """Where de-identified studies go."""

    connection: str = "research_pacs"


class RedcapPolicy(_Part):
    """Where the outcome is told. `fields` renames S1's status fields (see `airlock.redcap`)."""

    connection: str = "redcap"
    fields: dict[str, str] = Field(default_factory=dict)


class ScreenPolicy(_Part):
    """Which instances go on. The first two are FIONA's `project_features___0` and `___2`."""

    remove_presentation_states: bool = False
    remove_secondary_captures: bool = False


class PixelsPolicy(_Part):
    """Burned-in text. `rewrite: false` is FIONA's `project_features___1`."""

    rewrite: bool = True
    confidence: int = Field(default=20, ge=0, le=100, description="percent; text below it is left, unless it is known")


class DeidentifyPolicy(_Part):
    """How headers are de-identified (PS3.15 Annex E).

    `edition` names the shipped profile table, `options` are the options of PS3.15 E.3, `max_shift_days` bounds the
    keyed date offset of `retain_longitudinal_modified_dates`.
    """

    edition: Literal["2026d"] = "2026d"
    options: tuple[Option, ...] = ()
    max_shift_days: int = Field(default=3650, ge=1, le=36500)


class ApprovalPolicy(_Part):
    """When the ethics approval holds, both days included; outside it nothing is accepted and nothing is sent."""

    start: date | None = None
    end: date | None = None


class ProjectPolicy(_Part):
    """Everything that is decided per project.

    `subject_pattern` is a regular expression that a research subject id must match as a whole. `blocked` says what of
    REDCap's words about the project cannot be used; nothing is sent until somebody mends it.
    """

    name: str = Field(min_length=1, max_length=64, description="as requests spell it; may contain spaces")
    title: str = ""
    active: bool = True
    blocked: str = ""
    approval: ApprovalPolicy = ApprovalPolicy()
    subject_pattern: str = Field(default="", max_length=500)
    source: SourcePolicy = SourcePolicy()
    destination: DestinationPolicy = DestinationPolicy()
    redcap: RedcapPolicy | None = None
    screen: ScreenPolicy = ScreenPolicy()
    pixels: PixelsPolicy = PixelsPolicy()
    deidentify: DeidentifyPolicy = DeidentifyPolicy()

    @field_validator("subject_pattern")
    @classmethod
    def _is_regular_expression(cls, pattern: str) -> str:
        try:
            re.compile(pattern)
        except re.error as error:
            raise ValueError(f"not a regular expression: {error}") from None
        return pattern

    def check_approved(self, today: date) -> None:
        """Check that the project may receive studies on a day.

        :raises NotApproved: when it may not.
        """
        if self.blocked:
            raise NotApproved(
                f"The project {self.name} receives nothing: {self.blocked}. Mend it in REDCap and synchronise, or say "
                "it in the project's policy; then request the transfer again."
            )
        if not self.active:
            raise NotApproved(
                f"The project {self.name} is not active. Set it active in its policy or in REDCap if it is again."
            )
        first, last = self.approval.start, self.approval.end
        if (first and today < first) or (last and today > last):
            days = f"from {first or 'the beginning'} to {last or 'the end'}"
            raise NotApproved(
                f"The approval of the project {self.name} holds {days}. "
                "Nothing is sent outside it. Extend it in the project's policy, and request the transfer again."
            )

    def check_subject(self, subject: str) -> None:
        """Check a research subject id against the project's pattern. The message doesn't repeat the id.

        :raises InvalidRequest: when it does not match.
        """
        if self.subject_pattern and not re.fullmatch(self.subject_pattern, subject):
            raise InvalidRequest(
                f"transfer_name does not match the naming pattern of the project {self.name}. Correct the request."
            )

    @property
    def digest(self) -> str:
        """SHA-256 of the policy's content, for the audit."""
        return hashlib.sha256(self.model_dump_json().encode()).hexdigest()


@dataclass(frozen=True)
class _Lines:
    """Line numbers of every key of a YAML document, by path."""

    by_path: dict[tuple[str | int, ...], int]

    @classmethod
    def of(cls, node: yaml.Node | None) -> _Lines:
        lines: dict[tuple[str | int, ...], int] = {}

        def walk(current: yaml.Node | None, path: tuple[str | int, ...]) -> None:
            if isinstance(current, yaml.MappingNode):
                for key, value in current.value:
                    lines[(*path, key.value)] = key.start_mark.line + 1
                    walk(value, (*path, key.value))
            elif isinstance(current, yaml.SequenceNode):
                for index, item in enumerate(current.value):
                    lines[(*path, index)] = item.start_mark.line + 1
                    walk(item, (*path, index))

        walk(node, ())
        return cls(lines)

    def near(self, path: tuple[str | int, ...]) -> int:
        """Line of the path, or of the nearest parent that has one."""
        while path and path not in self.by_path:
            path = path[:-1]
        return self.by_path.get(path, 1)


def load_policy(path: Path, registry: Registry | None = None) -> ProjectPolicy:
    """Read one project policy.

    :param registry: fills in what the file leaves out.
    :raises PolicyError: with file, line and reason for every problem.
    """
    node, content = read_content(path)
    try:
        return ProjectPolicy.model_validate((registry or Registry()).fill(content))
    except ValidationError as error:
        lines = _Lines.of(node)
        problems = [
            f"{path}:{lines.near(e['loc'])}: {'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors()
        ]
        raise PolicyError("\n".join(problems)) from None


def read_content(path: Path) -> tuple[yaml.Node | None, dict[str, Any]]:
    """Return what a policy file says, before it is validated; the node knows the lines.

    :raises PolicyError: when it is no YAML mapping.
    """
    try:
        text = path.read_text("utf-8")
        node = yaml.compose(text, Loader=yaml.SafeLoader)
        content: Any = yaml.safe_load(text)
    except OSError as error:
        raise PolicyError(f"{path}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise PolicyError(f"{path}: not UTF-8 text") from None
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise PolicyError(f"{path}:{line}: {error.problem}") from None
    if not isinstance(content, dict):
        raise PolicyError(f"{path}:1: a project policy is a mapping, for example `name: {path.stem}`")
    content.setdefault("name", path.stem)
    return node, content


def load_policies(folder: Path) -> dict[str, ProjectPolicy]:
    """Read every policy of a folder, by project name, with those that only REDCap knows.

    :raises PolicyError: when a file is not valid or two files name the same project.
    """
    if not folder.is_dir():
        raise PolicyError(f"{folder}: no such folder. Set AIRLOCK_PROJECTS to the folder of your project policies.")
    registry = read_registry(folder)
    policies: dict[str, ProjectPolicy] = {}
    for path in sorted(folder.glob("*.yaml")):
        policy = load_policy(path, registry)
        if policy.name in policies:
            raise PolicyError(f"{path}:1: another file already describes the project {policy.name!r}")
        policies[policy.name] = policy
    for name, registered in registry.projects.items():
        if name not in policies:
            policies[name] = _registered_only(folder, registered.fill({"name": name}))
    return policies


def _registered_only(folder: Path, content: dict[str, Any]) -> ProjectPolicy:
    try:
        return ProjectPolicy.model_validate(content)
    except ValidationError as error:
        problems = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors())
        raise PolicyError(f"{folder / FILE_NAME}: {problems}. Synchronise with REDCap again.") from None


def find_policy(folder: Path, name: str) -> ProjectPolicy:
    """Return the policy of one project.

    :raises UnknownProject: when no file describes it. The message doesn't repeat the name: it came from outside.
    :raises PolicyError: when a policy in the folder is not valid.
    """
    policies = load_policies(folder)
    try:
        return policies[name]
    except KeyError:
        known = ", ".join(sorted(policies)) or "none"
        raise UnknownProject(
            f"The request names a project that has no policy in {folder} (known: {known}). "
            "Correct the request, or add the project's YAML file, and request the transfer again."
        ) from None
