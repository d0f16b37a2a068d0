"""Hooks: a project's own Python after a step, such as a note in the group's database.

A hook is a function that takes a :class:`HookCall`. A policy names hooks by the entry point that an installed package
registers (group `airlock.hooks`), or as `package.module:function` when the deployment allows that name
(`AIRLOCK_HOOKS`). What is not registered or allowed is refused before a transfer begins.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from importlib import import_module
from importlib.metadata import entry_points
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict

from airlock.errors import PolicyError

GROUP = "airlock.hooks"
Point = Literal["after_deidentify", "after_confirm"]


class HooksPolicy(BaseModel):
    """The hooks of a project, in their order.

    :param after_deidentify: after de-identification. What a hook changes in the folder is verified like any output.
    :param after_confirm: when the research PACS has shown every instance; not in a dry run.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    after_deidentify: tuple[str, ...] = ()
    after_confirm: tuple[str, ...] = ()


@dataclass(frozen=True)
class HookCall:
    """What a hook is given. None of it holds patient data.

    :param project: its name.
    :param transfer_id: of the transfer. A step that is repeated calls its hooks again with the same one.
    :param folder: de-identified files, `<StudyInstanceUID>/<SeriesInstanceUID>/<SOPInstanceUID>.dcm`, new UIDs.
    :param counts: `received`, `sent`, `skipped`, `held`, `boxes`.
    :param dry_run: nothing outside this machine may be changed.
    """

    point: Point
    project: str
    transfer_id: str
    folder: Path
    counts: Mapping[str, int]
    dry_run: bool


Hook = Callable[[HookCall], object]


def find_hooks(names: Iterable[str], allowed: str) -> list[Hook]:
    """Return the hooks of these names.

    :param allowed: names `package.module:function` that may be used, with commas: `AIRLOCK_HOOKS`.
    :raises PolicyError: when one is neither registered nor allowed, or cannot be imported.
    """
    registered = {point.name: point for point in entry_points(group=GROUP)}
    permitted = {name.strip() for name in allowed.split(",") if name.strip()}
    found = []
    for name in names:
        try:
            if name in registered:
                hook = registered[name].load()
            elif name in permitted:
                module, _, function = name.partition(":")
                hook = getattr(import_module(module), function)
            else:
                raise PolicyError(
                    f"The hook {name} is not known. Install the package that registers it (entry point group {GROUP}), "
                    "or allow its name in AIRLOCK_HOOKS."
                )
        except (ImportError, AttributeError, ValueError) as error:
            raise PolicyError(f"The hook {name} cannot be imported ({type(error).__name__}).") from None
        if not callable(hook):
            raise PolicyError(f"The hook {name} is not a function.")
        found.append(hook)
    return found
