"""Which rules a project has, and who says so: its YAML file, REDCap's list of projects, or neither."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from airlock.policy_file import read_content
from airlock.project import ProjectPolicy
from airlock.registry import Registered, origin_of, read_registry


def rules_with_origin(folder: Path, policy: ProjectPolicy) -> list[tuple[str, Any, str]]:
    """Return every field of a policy as (dotted field, value, `file`, `REDCap` or `default`).

    :param folder: of the project policies.
    """
    content, registered = _content(folder, policy.name), read_registry(folder).projects.get(policy.name, Registered())
    leaves = _leaves(policy.model_dump(mode="json"))
    return [(path, value, origin_of(path, content, registered)) for path, value in leaves]


def said_rules(folder: Path, policy: ProjectPolicy) -> dict[str, dict[str, Any]]:
    """Return what somebody said of a project, for the history of its transfers.

    What nobody said is the default of that version of Airlock; the digest covers it too.
    """
    return {
        path: {"value": value, "said_by": origin}
        for path, value, origin in rules_with_origin(folder, policy)
        if origin != "default"
    }


def _content(folder: Path, name: str) -> dict[str, Any]:
    """Return what the project's file says; nothing when it has none."""
    for path in sorted(folder.glob("*.yaml")):
        _, content = read_content(path)
        if content["name"] == name:
            return content
    return {}


def _leaves(content: dict[str, Any], above: str = "") -> list[tuple[str, Any]]:
    found: list[tuple[str, Any]] = []
    for name, value in content.items():
        path = f"{above}{name}"
        found += _leaves(value, f"{path}.") if isinstance(value, dict) and value else [(path, value)]
    return found
