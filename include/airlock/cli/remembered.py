"""What policies say of de-identification, remembered: checking them takes as long as de-identifying a hundred images.

Only what needs no check is remembered: policies without rules of their own and without private elements, and that
there is none. It counts for the very files that it was read from and the code that read them, and only with the seal
of the deployment key, so that nobody loosens a policy here who could not read the originals.

A line of text for each project, because what reads JSON takes longer to import than a large object to de-identify.
"""

from __future__ import annotations

import os
from contextlib import suppress

from airlock.deid.terms import OPTIONS, Terms
from airlock.errors import UnknownProject
from airlock.identity.keyed import sha256
from airlock.tuples import NamedTuple
from airlock.typed import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

    from airlock.deid.policy import ProjectTerms
    from airlock.identity.keys import KeyRing

_READERS = ("project.py", "policy_file.py", "registry.py", "deidentify_policy.py", "deid/terms.py")
_DEFAULT = Terms()
_NONE = "-"
"""Said of a project that no policy describes."""


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
        with suppress(OSError, ValueError):
            seal, said = self._lines().get(project, ("", ""))
            if seal == self._seal(project, said):
                if said == _NONE:
                    raise UnknownProject(f"No policy describes the project {project}.")
                return Remembered(project, _terms(said))
        return None

    def note(self, policy: ProjectTerms) -> None:
        """Remember a policy, if it is plain. Where that cannot be written, it is checked again the next time."""
        terms, private = policy.deidentify, policy.deidentify.private
        kept = private.keep or private.csa_header or getattr(private, "mode", "remove") != "remove"
        if not terms.rules and not kept:
            self._note(policy.name, _said(terms))

    def note_unknown(self, project: str) -> None:
        """Remember that no policy describes a project."""
        self._note(project, _NONE)

    def _note(self, project: str, said: str) -> None:
        # What is no line stays out.
        if not self._state or "\t" in project or len(f"{project}{said}".splitlines()) != 1:
            return
        with suppress(OSError, ValueError):
            lines = self._others()
            lines[project] = self._seal(project, said), said
            self._write("".join(f"{name}\t{seal}\t{text}\n" for name, (seal, text) in lines.items()))

    def _others(self) -> dict[str, tuple[str, str]]:
        """Return what is remembered of other projects; what is out of date stays until it is asked for."""
        with suppress(OSError, ValueError):
            return self._lines()
        return {}

    def _lines(self) -> dict[str, tuple[str, str]]:
        """Return seals and what is said, by project.

        :raises ValueError: when the file is damaged.
        """
        lines = [line.split("\t") for line in _read(self._file).decode("utf-8", "surrogateescape").splitlines()]
        return {project: (seal, said) for project, seal, said in lines}

    def _write(self, text: str) -> None:
        from pathlib import Path  # noqa: PLC0415 - nothing is written most of the time

        from airlock.workspace import write_atomically  # noqa: PLC0415 - as above

        file = Path(self._file)
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_atomically(file, text.encode("utf-8", "surrogateescape"))

    def _seal(self, project: str, said: str) -> str:
        return self._keys.token("remembered-terms", f"{self._state}\n{project}\n{said}", length=52)


def _said(terms: Any) -> str:
    """Return terms as text: the options, then all others in their order."""
    others = (str(getattr(terms, name)) for name in Terms._fields if name != "options")
    return " ".join((",".join(terms.options), *others))


def _terms(said: str) -> Terms:
    """Return remembered terms.

    :raises ValueError: when they are not of the kind that is remembered.
    """
    options, *others = said.split(" ")
    chosen = tuple(options.split(",")) if options else ()
    if not set(chosen) <= set(OPTIONS):
        raise ValueError("unknown option")
    names = [name for name in Terms._fields if name != "options"]
    values: dict[str, Any] = {
        name: type(getattr(_DEFAULT, name))(text) for name, text in zip(names, others, strict=True)
    }
    return Terms(options=chosen, **values)


def _read(file: str) -> bytes:
    with open(file, "rb") as stream:  # noqa: PTH123 - pathlib takes longer to import than to read
        return stream.read()


def _state_of(folder: str) -> str:
    """Return a digest of all that a policy is read from: the folder's files, and the code that reads them."""
    digest = sha256()
    for name in sorted(os.listdir(folder)):  # noqa: PTH208 - on every start
        if name.endswith((".yaml", ".json")):
            content = _read(f"{folder}/{name}")
            digest.update(f"{name}\0{len(content)}\0".encode("utf-8", "surrogateescape") + content)
    for name in _READERS:
        status = os.stat(f"{os.path.dirname(__file__)}/../{name}")  # noqa: PTH116, PTH120 - on every start
        digest.update(f"{name}\0{status.st_size}\0{status.st_mtime_ns}\0".encode())
    return f"{os.path.abspath(folder)}\0{digest.hexdigest()}"  # noqa: PTH100 - as above
