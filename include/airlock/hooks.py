"""Hooks: a project's own program after a step, such as a note in the group's database.

A hook is a function that takes a :class:`HookCall`, or a container that is told the same (:class:`ContainerHook`). A
policy names functions by the entry point that an installed package registers (group `airlock.hooks`), or as
`package.module:function` when the deployment allows that name (`AIRLOCK_HOOKS`), and images that the deployment allows
(`AIRLOCK_HOOK_IMAGES`). What is not registered or allowed is refused before a transfer begins.
"""

from __future__ import annotations

import stat
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from importlib import import_module
from importlib.metadata import entry_points
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from airlock.errors import AirlockError, HeldError, PolicyError, RefusedError, UnexpectedFailure

GROUP = "airlock.hooks"
Point = Literal["after_deidentify", "after_confirm"]
INSIDE = "/deidentified"
"""Where a container finds the folder."""

# sysexits.h of 4.2BSD: EX_DATAERR and EX_CONFIG.
HOLDS, REFUSES = 65, 78


class ContainerHook(BaseModel):
    """A container that is run as a hook, sealed like the one that rewrites pixels.

    :param image: as `AIRLOCK_HOOK_IMAGES` spells it. It is never pulled.
    :param arguments: of its entry point, each by itself; no shell reads them.
    :param write: whether it may change the files, which is possible before they are verified only.
    :param network: a network of Docker that `AIRLOCK_HOOK_NETWORKS` allows; nothing may leave before it is verified.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    image: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._/:@-]*$", max_length=255)
    arguments: tuple[Annotated[str, Field(max_length=1000)], ...] = Field(default=(), max_length=100)
    write: bool = False
    network: str = Field(default="none", pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$", max_length=64)

    def __str__(self) -> str:
        return self.image


class HooksPolicy(BaseModel):
    """The hooks of a project, in their order.

    :param after_deidentify: after de-identification. What a hook changes in the folder is verified like any output.
    :param after_confirm: when the research PACS has shown every instance; not in a dry run.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    after_deidentify: tuple[str | ContainerHook, ...] = ()
    after_confirm: tuple[str | ContainerHook, ...] = ()

    @model_validator(mode="after")
    def _keeps_what_was_verified(self) -> HooksPolicy:
        if any(hook.network != "none" for hook in self.after_deidentify if isinstance(hook, ContainerHook)):
            raise ValueError("`network` is for `after_confirm`: before verification nothing may leave this machine")
        if any(hook.write for hook in self.after_confirm if isinstance(hook, ContainerHook)):
            raise ValueError("`write` is for `after_deidentify`: what was verified and sent may not change")
        return self


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

    def environment(self) -> dict[str, str]:
        """Return the same as environment variables of a container."""
        told = {
            "HOOK_POINT": self.point,
            "HOOK_PROJECT": self.project,
            "HOOK_TRANSFER": self.transfer_id,
            "HOOK_FOLDER": INSIDE,
            "HOOK_DRY_RUN": "1" if self.dry_run else "0",
        }
        return told | {f"HOOK_{name.upper()}": str(count) for name, count in self.counts.items()}


Hook = Callable[[HookCall], object]


def find_hooks(names: Iterable[str], allowed: str) -> list[Hook]:
    """Return the hooks of these names.

    :param allowed: names `package.module:function` that may be used, with commas: `AIRLOCK_HOOKS`.
    :raises PolicyError: when one is neither registered nor allowed, or cannot be imported.
    """
    registered = {point.name: point for point in entry_points(group=GROUP)}
    permitted = _names(allowed)
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


def check_containers(hooks: Iterable[ContainerHook], images: str, networks: str) -> None:
    """Check that the deployment allows these containers.

    :param images: images that may be used, with commas: `AIRLOCK_HOOK_IMAGES`.
    :param networks: networks of Docker that may be used, with commas: `AIRLOCK_HOOK_NETWORKS`.
    :raises PolicyError: when it does not.
    """
    allowed, reachable = _names(images), _names(networks) - {"host"} | {"none"}
    for hook in hooks:
        if hook.image not in allowed:
            raise PolicyError(f"The image {hook.image} may not be a hook. Allow its name in AIRLOCK_HOOK_IMAGES.")
        if hook.network not in reachable:
            raise PolicyError(
                f"The hook {hook.image} may not use the network {hook.network}. Allow a network of Docker in "
                "AIRLOCK_HOOK_NETWORKS; that of the host is never allowed."
            )


def _names(setting: str) -> set[str]:
    return {name.strip() for name in setting.split(",") if name.strip()}


def ending_of(hook: ContainerHook, code: int) -> AirlockError | None:
    """Return what the exit code of a container means; None when it went well. What it printed means nothing."""
    if code == 0:
        return None
    said = f"The hook {hook.image} ended with exit code {code}"
    if code == HOLDS:
        return HeldError(f"{said}: a person must look. Find out there why, then clear this task.")
    if code == REFUSES:
        return RefusedError(f"{said}: trying again cannot help. Mend its configuration, then clear this task.")
    return UnexpectedFailure(f"{said}. It is tried again by itself; if it stays, look into the hook.")


def check_left_behind(folder: Path) -> None:
    """Check that a container that may write has left nothing but ordinary files and folders.

    A link would be followed, out of the folder, by every step that reads it later; a pipe would stop them.

    :raises HeldError: when there is something else.
    """
    for path in folder.rglob("*"):
        mode = path.lstat().st_mode
        if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
            raise HeldError(
                "A hook left something in the folder that is neither a file nor a folder. Mend the hook; then clear "
                "the whole run, to begin again without what it left."
            )
