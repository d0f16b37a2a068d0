"""What REDCap says about projects, kept beside their YAML files in one generated file.

A field that a project's YAML file gives wins; REDCap's list of projects fills in the rest, and a project that only
REDCap knows has Airlock's defaults for what REDCap doesn't say. Nobody edits the file: the next synchronisation
writes it anew.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from airlock.errors import PolicyError
from airlock.workspace import write_atomically

FILE_NAME = "from-redcap.json"
SCHEMA = 1
ABOUT = "Written by `airlock project sync`. Don't edit it: what a project's YAML file says wins over it."
GONE = "it is no longer in REDCap's list of projects"


@dataclass(frozen=True)
class Registered:
    """What REDCap says about a project.

    :param fields: part of a project policy, as its YAML file would have it, without the name.
    :param problems: what REDCap says and cannot be used, by dotted field; the empty field is the project as a whole.
        As long as one stands, nothing is sent to the project.
    """

    fields: dict[str, Any] = field(default_factory=dict)
    problems: dict[str, str] = field(default_factory=dict)

    def fill(self, content: Mapping[str, Any]) -> dict[str, Any]:
        """Return a policy's content with what it leaves out taken from here.

        A problem with a field that the content gives itself doesn't matter.
        """
        filled = _merge(self.fields, content)
        open_problems = [why for path, why in self.problems.items() if not path or not _has(content, path)]
        return filled | {"blocked": "; ".join(open_problems)} if open_problems else filled


@dataclass(frozen=True)
class Registry:
    """The generated file.

    :param synced_at: when REDCap said so; None when it was never asked.
    """

    projects: dict[str, Registered] = field(default_factory=dict)
    synced_at: datetime | None = None

    def fill(self, content: Mapping[str, Any]) -> dict[str, Any]:
        """Fill in a policy's content by its `name`."""
        return self.projects.get(str(content.get("name")), Registered()).fill(content)

    def succeeded_by(self, projects: Mapping[str, Registered], now: datetime) -> Registry:
        """Return the registry after REDCap was asked again.

        A project that REDCap doesn't list any more stays and is blocked: forgetting it would lift the limits that
        REDCap had set to what its YAML file allows.
        """
        gone = {name: Registered(old.fields, {"": GONE}) for name, old in self.projects.items() if name not in projects}
        return Registry({**gone, **projects}, now)


def read_registry(folder: Path) -> Registry:
    """Read the registry of a folder of policies; an empty one when there is none.

    :raises PolicyError: when the file is not what Airlock wrote.
    """
    path = folder / FILE_NAME
    try:
        document = json.loads(path.read_text("utf-8"))
        if document["schema"] != SCHEMA:
            raise ValueError("another version")
        projects = {
            name: Registered(dict(entry["fields"]), dict(entry["problems"]))
            for name, entry in document["projects"].items()
        }
        return Registry(projects, datetime.fromisoformat(document["synced_at"]))
    except FileNotFoundError:
        return Registry()
    except (OSError, ValueError, LookupError, TypeError, AttributeError):
        raise PolicyError(
            f"{path}: not a list of projects as `airlock project sync` writes it. Remove the file, and synchronise."
        ) from None


def write_registry(folder: Path, registry: Registry) -> Path:
    """Write the registry of a folder of policies at once.

    :raises PolicyError: when it cannot be written.
    """
    path = folder / FILE_NAME
    document = {
        "about": ABOUT,
        "schema": SCHEMA,
        "synced_at": registry.synced_at.isoformat(timespec="seconds") if registry.synced_at else None,
        "projects": {
            name: {"fields": entry.fields, "problems": entry.problems}
            for name, entry in sorted(registry.projects.items())
        },
    }
    try:
        write_atomically(path, json.dumps(document, indent=2, ensure_ascii=False) + "\n")
    except OSError as error:
        raise PolicyError(
            f"{path}: {error.strerror}. Let Airlock's user write into the folder of the project policies "
            "(AIRLOCK_PROJECTS)."
        ) from None
    return path


def origin_of(path: str, content: Mapping[str, Any], registered: Registered) -> str:
    """Say where a field of a merged policy comes from: `file`, `REDCap` or `default`.

    :param path: dotted field, such as `approval.end`.
    :param content: what the project's YAML file says; empty when it has none.
    """
    if _has(content, path):
        return "file"
    return "REDCap" if _has(registered.fields, path) or (path == "blocked" and registered.problems) else "default"


def _merge(under: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(under)
    for name, value in over.items():
        below = merged.get(name)
        both = isinstance(below, Mapping) and isinstance(value, Mapping)
        merged[name] = _merge(below, value) if both else value  # type: ignore[arg-type]  # told by `both`
    return merged


def _has(content: Any, path: str) -> bool:
    for name in path.split("."):
        if not isinstance(content, Mapping) or name not in content:
            return False
        content = content[name]
    return True
