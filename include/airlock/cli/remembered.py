"""What policies say of de-identification, remembered: checking them takes as long as de-identifying a hundred images.

Only what needs no check is remembered: policies without rules of their own and without private elements, and that
there is none. It counts for
the very files that it was read from and the code that read them, and only with the seal of the deployment key, so that
nobody loosens a policy here who could not read the originals.
"""

from __future__ import annotations

import hashlib
import json
import os
from contextlib import suppress
from typing import TYPE_CHECKING, Any, NamedTuple

from airlock.deid.terms import OPTIONS, Terms
from airlock.errors import UnknownProject

if TYPE_CHECKING:
    from pathlib import Path

    from airlock.deid.policy import ProjectTerms
    from airlock.identity.keys import KeyRing

_READERS = ("project.py", "policy_file.py", "registry.py", "deidentify_policy.py", "deid/terms.py")
_DEFAULT = Terms()


class Remembered(NamedTuple):
    """A project whose policy was checked before."""

    name: str
    deidentify: Terms


class Memory:
    """Remembers the policies of one folder.

    :param file: where; made when something is remembered.
    """

    def __init__(self, file: str | Path, folder: str | Path, keys: KeyRing) -> None:
        self._file, self._folder, self._keys = str(file), str(folder), keys
        self._state = ""
        # Who reads the policies says what cannot be read of them.
        with suppress(OSError):
            self._state = _state_of(self._folder)

    def find(self, project: str) -> ProjectTerms | None:
        """Return the terms of a project, if they are remembered and nothing has changed since.

        :raises UnknownProject: when it is remembered that no policy describes it.
        """
        if not self._state:
            return None
        with suppress(OSError, ValueError, TypeError, KeyError, AttributeError):
            document = json.loads(_read(self._file))
            said = document["projects"][project]
            if document["seals"][project] == self._seal(project, said):
                if said is None:
                    raise UnknownProject(f"No policy describes the project {project}.")
                return Remembered(project, _terms(said))
        return None

    def note(self, policy: ProjectTerms) -> None:
        """Remember a policy, if it is plain. Where that cannot be written, it is checked again the next time."""
        terms, private = policy.deidentify, policy.deidentify.private
        kept = private.keep or private.csa_header or getattr(private, "mode", "remove") != "remove"
        if not self._state or terms.rules or kept:
            return
        said = {name: getattr(terms, name) for name in Terms._fields}
        said["options"] = list(terms.options)
        self._note(policy.name, said)

    def note_unknown(self, project: str) -> None:
        """Remember that no policy describes a project."""
        if self._state:
            self._note(project, None)

    def _note(self, project: str, said: dict[str, Any] | None) -> None:
        with suppress(OSError, ValueError):
            document = self._others()
            document["projects"][project] = said
            document["seals"][project] = self._seal(project, said)
            self._write(document)

    def _others(self) -> dict[str, dict[str, Any]]:
        """Return what is remembered of other projects; what is out of date stays until it is asked for."""
        with suppress(OSError, ValueError, TypeError, KeyError):
            document = json.loads(_read(self._file))
            if isinstance(document["projects"], dict) and isinstance(document["seals"], dict):
                return {"projects": document["projects"], "seals": document["seals"]}
        return {"projects": {}, "seals": {}}

    def _write(self, document: dict[str, dict[str, Any]]) -> None:
        from pathlib import Path  # noqa: PLC0415 - nothing is written most of the time

        from airlock.workspace import write_atomically  # noqa: PLC0415 - as above

        file = Path(self._file)
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_atomically(file, json.dumps(document))

    def _seal(self, project: str, said: object) -> str:
        return self._keys.token("remembered-terms", json.dumps([self._state, project, said], sort_keys=True), length=52)


def _terms(said: dict[str, Any]) -> Terms:
    """Return remembered terms.

    :raises ValueError: when they are not of the kind that is remembered.
    """
    terms = Terms(**{**said, "options": tuple(said["options"])})
    if not set(terms.options) <= set(OPTIONS):
        raise ValueError("unknown option")
    kinds = {name: type(value) for name, value in _DEFAULT._asdict().items()}
    if any(type(getattr(terms, name)) is not kind for name, kind in kinds.items()):
        raise ValueError("wrong type")
    return terms


def _read(file: str) -> bytes:
    with open(file, "rb") as stream:  # noqa: PTH123 - pathlib takes longer to import than to read
        return stream.read()


def _state_of(folder: str) -> str:
    """Return a digest of all that a policy is read from: the folder's files, and the code that reads them."""
    digest = hashlib.sha256()
    for name in sorted(os.listdir(folder)):  # noqa: PTH208 - on every start
        if name.endswith((".yaml", ".json")):
            content = _read(f"{folder}/{name}")
            digest.update(f"{name}\0{len(content)}\0".encode("utf-8", "surrogateescape") + content)
    for name in _READERS:
        status = os.stat(f"{os.path.dirname(__file__)}/../{name}")  # noqa: PTH116, PTH120 - on every start
        digest.update(f"{name}\0{status.st_size}\0{status.st_mtime_ns}\0".encode())
    return f"{os.path.abspath(folder)}\0{digest.hexdigest()}"  # noqa: PTH100 - as above
