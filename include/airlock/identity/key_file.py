"""The file of the deployment key: one generation per line, oldest first, for its owner only."""

from __future__ import annotations

import os
import re

from airlock.errors import PolicyError
from airlock.typed import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

_BYTES = 32


def parse_keys(text: str, where: str) -> tuple[bytes, ...]:
    """Read generations of the key from text.

    :param where: what holds the text, to be named in the error.
    :raises PolicyError: when it is not one or more times 64 hexadecimal digits, all different.
    """
    keys = []
    for part in re.split(r"[\s,]+", text.strip()):
        # Python's fromhex() would let blanks pass, its isalnum() digits of other scripts.
        if not re.fullmatch(r"[0-9A-Fa-f]{64}", part):
            raise PolicyError(f"{where} does not hold 64 hexadecimal digits. Restore it from your backup.")
        keys.append(bytes.fromhex(part))
    if len(set(keys)) != len(keys):
        raise PolicyError(f"{where} holds the same key twice. Restore it from your backup.")
    return tuple(keys)


def read_key_file(path: str | Path) -> tuple[bytes, ...]:
    """Return the generations in the file; none when there is no file.

    :raises PolicyError: when the file is readable by others or holds something else.
    """
    try:
        mode = os.stat(path).st_mode & 0o077  # noqa: PTH116 - pathlib takes longer to import than all this
    except FileNotFoundError:
        return ()
    if mode:
        raise PolicyError(f"The key file {path} can be read by others. Run: chmod 600 {path}")
    with open(path, "rb") as file:  # noqa: PTH123 - as above
        data = file.read()
    text = data.decode("ascii") if data.isascii() else ""
    return parse_keys(text, f"The key file {path}")


def make_key_file(path: str | Path) -> tuple[bytes, ...]:
    """Make the first generation, unless another process is first: then its key counts."""
    from pathlib import Path  # noqa: PLC0415 - on the first start only

    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    part = _write_part(path, [os.urandom(_BYTES)])
    try:
        # A link fails when another process was first.
        os.link(part, path)
    except FileExistsError:
        pass
    finally:
        part.unlink()
    return read_key_file(path)


def add_generation(path: Path) -> int:
    """Add a new generation to an existing key file; return its number. Two that do so take turns.

    :raises PolicyError: when there is no key file.
    """
    import fcntl  # noqa: PLC0415 - beside its only use

    descriptor = os.open(path.parent, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        keys = [*read_key_file(path), os.urandom(_BYTES)]
        if len(keys) == 1:
            raise PolicyError(f"There is no key file {path} to rotate. Airlock makes it when it starts first.")
        _write_part(path, keys).replace(path)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    return len(keys)


def _write_part(path: Path, keys: list[bytes]) -> Path:
    # Not the process id: two containers that share the folder can have the same.
    part = path.with_name(f".{path.name}.{os.urandom(8).hex()}.part")
    descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as stream:
        stream.write("".join(f"{key.hex()}\n" for key in keys))
        stream.flush()
        os.fsync(stream.fileno())
    return part
