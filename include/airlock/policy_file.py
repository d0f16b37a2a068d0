"""Policy files as YAML: what they say, and on which line."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import yaml

from airlock.errors import PolicyError

# Every task reads all policies, some twice. libyaml's reader takes a tenth of the time, where it is there.
_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@dataclass(frozen=True)
class Lines:
    """Line numbers of every key of a YAML document, by path."""

    by_path: dict[tuple[str | int, ...], int]

    @classmethod
    def of(cls, node: yaml.Node | None) -> Lines:
        """Read them from a document."""
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


def read_content(path: Path) -> tuple[yaml.Node | None, dict[str, Any]]:
    """Return what a policy file says, before it is validated; the node knows the lines.

    :raises PolicyError: when it is no YAML mapping.
    """
    try:
        node, parsed = _parsed(path.read_text("utf-8"))
    except OSError as error:
        raise PolicyError(f"{path}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise PolicyError(f"{path}: not UTF-8 text") from None
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise PolicyError(f"{path}:{line}: {error.problem}") from None
    # What is done to it is not done to what is remembered.
    content = deepcopy(parsed)
    if not isinstance(content, dict):
        raise PolicyError(f"{path}:1: a project policy is a mapping, for example `name: {path.stem}`")
    content.setdefault("name", path.stem)
    _place_tables(content, path.parent)
    return node, content


@lru_cache(maxsize=256)
def _parsed(text: str) -> tuple[yaml.Node | None, Any]:
    """Return what a text says. It is remembered also in processes that are forked of this one, as tasks are."""
    return yaml.compose(text, Loader=_LOADER), yaml.load(text, Loader=_LOADER)  # noqa: S506 - both are safe loaders


def _place_tables(content: dict[str, Any], folder: Path) -> None:
    """Lookup tables are named relative to the policy's file."""
    section = content.get("deidentify")
    rules = section.get("rules") if isinstance(section, dict) else None
    for rule in rules if isinstance(rules, list) else ():
        if isinstance(rule, dict) and isinstance(rule.get("table"), str):
            rule["table"] = str(folder / rule["table"])
