"""ProjectPolicy: what a research project may receive and how it is de-identified.

One YAML file per project in `AIRLOCK_PROJECTS`, and beside them what REDCap says about projects (`airlock.registry`).
A file is validated as a whole when it is loaded; an unknown word stops the load with file, line and reason.
"""

from __future__ import annotations

import hashlib
import re
from datetime import date
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from pydantic import (
    Field,
    ValidationError,
    field_validator,
    model_validator,
)

from airlock.deidentify_policy import DeidentifyPolicy
from airlock.errors import InvalidRequest, NotApproved, PolicyError, UnknownProject
from airlock.hooks import HooksPolicy
from airlock.identity.pattern import IdPattern
from airlock.identity.policy import IdentityPolicy
from airlock.notice import NotifyPolicy
from airlock.policy_file import Lines, read_content
from airlock.project_parts import (
    ApprovalPolicy,
    DestinationPolicy,
    Part,
    PixelsPolicy,
    RedcapPolicy,
    SourcePolicy,
)
from airlock.registry import FILE_NAME, Registry, read_registry
from airlock.review_policy import ReviewPolicy
from airlock.selection import ScreenPolicy

__all__ = [
    "ApprovalPolicy",
    "DeidentifyPolicy",
    "DestinationPolicy",
    "PixelsPolicy",
    "ProjectPolicy",
    "RedcapPolicy",
    "ScreenPolicy",
    "SourcePolicy",
    "find_policy",
    "load_policies",
    "load_policy",
]


class ProjectPolicy(Part):
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
    reviews: Path | None = Field(default=None, description="CSV of review records, without which nothing starts")
    source: SourcePolicy = SourcePolicy()
    destination: DestinationPolicy = DestinationPolicy()
    destinations: tuple[DestinationPolicy, ...] = Field(default=(), description="several, in place of `destination`")
    redcap: RedcapPolicy | None = None
    screen: ScreenPolicy = ScreenPolicy()
    pixels: PixelsPolicy = PixelsPolicy()
    review: ReviewPolicy = ReviewPolicy()
    deidentify: DeidentifyPolicy = DeidentifyPolicy()
    identity: IdentityPolicy = IdentityPolicy()
    hooks: HooksPolicy = HooksPolicy()
    notify: NotifyPolicy = NotifyPolicy()

    @field_validator("subject_pattern")
    @classmethod
    def _is_regular_expression(cls, pattern: str) -> str:
        try:
            re.compile(pattern)
        except re.error as error:
            raise ValueError(f"not a regular expression: {error}") from None
        return pattern

    @model_validator(mode="after")
    def _says_once_where_to(self) -> ProjectPolicy:
        if self.destinations and "destination" in self.model_fields_set:
            raise ValueError("say `destination`, or `destinations` with a list of them, not both")
        names = [one.connection for one in self.targets]
        if len(set(names)) < len(names):
            raise ValueError("two of `destinations` have the same connection; each needs its own")
        return self

    @property
    def targets(self) -> tuple[DestinationPolicy, ...]:
        """Every destination; at least one."""
        return self.destinations or (self.destination,)

    @model_validator(mode="after")
    def _reviews_what_it_masks(self) -> ProjectPolicy:
        if self.review.mode != "auto" and not self.pixels.rewrite:
            raise ValueError("`review` is about text that is masked; it needs `pixels: {rewrite: true}`")
        return self

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

        Where Airlock itself makes the ids, what a request calls the subject has no meaning.

        :raises InvalidRequest: when it does not match.
        :raises PolicyError: when ids are to be made from a pattern, and there is none that tells how.
        """
        if self.identity.patient == "pattern":
            self.id_pattern()
        if (
            self.identity.patient == "request"
            and self.subject_pattern
            and not re.fullmatch(self.subject_pattern, subject)
        ):
            raise InvalidRequest(
                f"transfer_name does not match the naming pattern of the project {self.name}. Correct the request."
            )

    def id_pattern(self) -> IdPattern:
        """Return what ids are made from: `identity.pattern`, or else how the project names its subjects.

        :raises PolicyError: when there is none, or none that describes a finite set of ids.
        """
        try:
            return IdPattern(self.identity.pattern or self.subject_pattern)
        except ValueError as error:
            raise PolicyError(
                f"The project {self.name} takes ids from a pattern, and its pattern {error}. Give it "
                "`identity.pattern` or `subject_pattern` (REDCap's naming pattern), such as TRIAL-[0-9]{5}."
            ) from None

    @property
    def digest(self) -> str:
        """SHA-256 of the policy's content, for the audit."""
        return hashlib.sha256(self.model_dump_json().encode()).hexdigest()


def load_policy(path: Path, registry: Registry | None = None) -> ProjectPolicy:
    """Read one project policy.

    :param registry: fills in what the file leaves out.
    :raises PolicyError: with file, line and reason for every problem.
    """
    node, content = read_content(path)
    try:
        return ProjectPolicy.model_validate((registry or Registry()).fill(content), context={"folder": path.parent})
    except ValidationError as error:
        lines = Lines.of(node)
        problems = [
            f"{path}:{lines.near(e['loc'])}: {'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors()
        ]
        raise PolicyError("\n".join(problems)) from None


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
        # REDCap is told this, too: neither a path nor all the names of a large site belong there.
        close = get_close_matches(name, sorted(policies), n=3)
        meant = f" Perhaps it means: {', '.join(close)}." if close else ""
        raise UnknownProject(
            f"The request names a project that has no policy.{meant} Correct the request, or add the project's YAML "
            "file (`airlock project list` shows those that there are), and request the transfer again."
        ) from None
