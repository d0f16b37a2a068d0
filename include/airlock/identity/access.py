"""Who may see or change identities as a whole, and the record of it."""

from __future__ import annotations

import os
import pwd
from pathlib import Path

from airlock.errors import PolicyError
from airlock.settings import Settings

_UNSET = (1 << 32) - 1


def authorise(settings: Settings) -> str:
    """Return the name of the person at work, who must be among those that `AIRLOCK_IDENTITY_USERS` names.

    The operating system and the database decide who can read the store at all; this decides who of them does it on
    purpose, and whom the ledger names.

    :raises PolicyError: when the person is not among them.
    """
    person = who()
    allowed = {name.strip() for name in settings.identity_users.split(",")} - {""}
    if person not in allowed:
        raise PolicyError(
            f"The account {person} may not do this. Name the accounts that may in AIRLOCK_IDENTITY_USERS."
        )
    return person


def who() -> str:
    """Return the account that logged in, whichever it became with `sudo` since; else the one of the process."""
    try:
        number = int(Path("/proc/self/loginuid").read_text("ascii"))
    except (OSError, ValueError):
        number = _UNSET
    number = os.getuid() if number == _UNSET else number
    try:
        return pwd.getpwuid(number).pw_name
    except KeyError:
        return f"uid-{number}"
