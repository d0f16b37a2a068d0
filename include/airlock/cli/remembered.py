"""What policies say of de-identification, remembered: checking them takes as long as de-identifying a hundred images.

Only what needs no check is remembered: policies without rules of their own and without private elements. It counts for
the very files that it was read from and the code that read them, and only with the seal of the deployment key, so that
nobody loosens a policy here who could not read the originals.
"""

from __future__ import annotations

import hashlib
import json
import os
from contextlib import suppress
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airlock.deid.terms import OPTIONS, ProjectTerms, Terms

if TYPE_CHECKING:
    from airlock.identity.keys import KeyRing

_READERS = ("project.py", "policy_file.py", "registry.py", "deidentify_policy.py", "deid/terms.py")
_DEFAULT = Terms()


@dataclass(frozen=True)
class Remembered:
    """A project whose policy was checked before."""

    name: str
    deidentify: Terms


class Memory:
    """Remembers the policies of one folder.

    :param file: where; made when something is remembered.
    """

    def __init__(self, file: Path, folder: Path, keys: KeyRing) -> None:
        self._file, self._folder, self._keys = file, folder, keys
        self._state = ""
        # Who reads the policies says what cannot be read of them.
        with suppress(OSError):
            self._state = _state_of(folder)

    def find(self, project: str) -> ProjectTerms | None:
        """Return the terms of a project, if they are remembered and nothing has changed since."""
        if not self._state:
            return None
        with suppress(OSError, ValueError, TypeError, KeyError, AttributeError):
            document = json.loads(self._file.read_bytes())
            said = document["projects"][project]
            if document["seals"][project] == self._seal(project, said):
                return Remembered(project, _terms(said))
        return None

    def note(self, policy: ProjectTerms) -> None:
        """Remember a policy, if it is plain. Where that cannot be written, it is checked again the next time."""
        terms, private = policy.deidentify, policy.deidentify.private
        kept = private.keep or private.csa_header or getattr(private, "mode", "remove") != "remove"
        if not self._state or terms.rules or kept:
            return
        said = {field.name: getattr(terms, field.name) for field in fields(Terms)}
        said["options"] = list(terms.options)
        with suppress(OSError, ValueError):
            document = self._others()
            document["projects"][policy.name] = said
            document["seals"][policy.name] = self._seal(policy.name, said)
            self._write(document)

    def _others(self) -> dict[str, dict[str, Any]]:
        """Return what is remembered of other projects; what is out of date stays until it is asked for."""
        with suppress(OSError, ValueError, TypeError, KeyError):
            document = json.loads(self._file.read_bytes())
            if isinstance(document["projects"], dict) and isinstance(document["seals"], dict):
                return {"projects": document["projects"], "seals": document["seals"]}
        return {"projects": {}, "seals": {}}

    def _write(self, document: dict[str, dict[str, Any]]) -> None:
        from airlock.workspace import write_atomically  # noqa: PLC0415 - nothing is written most of the time

        self._file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_atomically(self._file, json.dumps(document))

    def _seal(self, project: str, said: object) -> str:
        return self._keys.token("remembered-terms", json.dumps([self._state, project, said], sort_keys=True), length=52)


def _terms(said: dict[str, Any]) -> Terms:
    """Return remembered terms.

    :raises ValueError: when they are not of the kind that is remembered.
    """
    terms = Terms(**{**said, "options": tuple(said["options"])})
    if not set(terms.options) <= set(OPTIONS):
        raise ValueError("unknown option")
    kinds = {name: type(value) for name, value in asdict(_DEFAULT).items()}
    if any(type(getattr(terms, name)) is not kind for name, kind in kinds.items()):
        raise ValueError("wrong type")
    return terms


def _state_of(folder: Path) -> str:
    """Return a digest of all that a policy is read from: the folder's files, and the code that reads them."""
    digest = hashlib.sha256()
    for name in sorted(os.listdir(folder)):  # noqa: PTH208 - on every start
        if name.endswith((".yaml", ".json")):
            content = (folder / name).read_bytes()
            digest.update(f"{name}\0{len(content)}\0".encode("utf-8", "surrogateescape") + content)
    for name in _READERS:
        status = os.stat(f"{os.path.dirname(__file__)}/../{name}")  # noqa: PTH116, PTH120 - on every start
        digest.update(f"{name}\0{status.st_size}\0{status.st_mtime_ns}\0".encode())
    return f"{os.path.abspath(folder)}\0{digest.hexdigest()}"  # noqa: PTH100 - as above
