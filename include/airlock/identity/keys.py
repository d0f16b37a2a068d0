"""The deployment key and what is derived from it.

One secret of 32 random bytes per deployment, in a file of mode 0600 that is made on the first start. Every use has
its own key, derived with HMAC-SHA-256 (the expand step of RFC 5869), so that no pseudonym of one project says
anything about another project's.
"""

from __future__ import annotations

import base64
import hmac
import os
import secrets
from dataclasses import dataclass
from pathlib import Path

from airlock.errors import PolicyError

KEY_BYTES = 32


def load_master_key(path: Path) -> bytes:
    """Return the deployment key, making it on first use.

    :param path: file with 64 hexadecimal digits, readable by its owner only.
    :raises PolicyError: when the file is readable by others or holds something else.
    """
    try:
        mode = path.stat().st_mode & 0o077
    except FileNotFoundError:
        return _make_master_key(path)
    if mode:
        raise PolicyError(f"The key file {path} can be read by others. Run: chmod 600 {path}")
    try:
        key = bytes.fromhex(path.read_text("ascii").strip())
    except ValueError:
        key = b""
    if len(key) != KEY_BYTES:
        raise PolicyError(f"The key file {path} does not hold 64 hexadecimal digits. Restore it from your backup.")
    return key


def _make_master_key(path: Path) -> bytes:
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    # Not the process id: two containers that share the folder can have the same.
    part = path.with_name(f".{path.name}.{secrets.token_hex(8)}.part")
    descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as stream:
        stream.write(secrets.token_hex(KEY_BYTES) + "\n")
        stream.flush()
        os.fsync(stream.fileno())
    try:
        # A link fails when another process was first: then its key counts, not ours.
        os.link(part, path)
    except FileExistsError:
        pass
    finally:
        part.unlink()
    return load_master_key(path)


@dataclass(frozen=True, repr=False)
class KeyRing:
    """Derives the keys of one deployment. It never shows its key.

    :param master: the deployment key, 32 bytes.
    """

    master: bytes

    @classmethod
    def load(cls, path: Path) -> KeyRing:
        """Read the deployment key from its file, making it on first use."""
        return cls(load_master_key(path))

    def derive(self, purpose: str, project: str = "") -> bytes:
        """Return the 32-byte key for one purpose of one project."""
        info = b"\x00".join((b"airlock", purpose.encode(), project.encode()))
        return hmac.digest(self.master, info + b"\x01", "sha256")

    def token(self, purpose: str, value: str, length: int = 16) -> str:
        """Return an opaque, repeatable name for a value: lower-case base32, 5 bits per character."""
        digest = hmac.digest(self.derive(purpose), value.encode(), "sha256")
        return base64.b32encode(digest).decode("ascii").lower()[:length]
