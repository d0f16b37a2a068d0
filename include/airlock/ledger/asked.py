"""Who asked for a transfer, and by which door it came in: the first event of every transfer."""

from __future__ import annotations

import pwd
from dataclasses import dataclass

ASKED_STEP, ASKED = "request", "asked"


@dataclass(frozen=True)
class Asked:
    """Who asked for a transfer.

    :param door: a word of the program, such as `file` or `page`.
    :param by: account of the person or program; empty when the door knows none.
    """

    door: str
    by: str = ""

    @property
    def detail(self) -> dict[str, str]:
        """What the event says."""
        return {"door": self.door} | ({"by": self.by} if self.by else {})


def account(uid: int) -> str:
    """Return the name of an account of this machine, or its number when it has none."""
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)
