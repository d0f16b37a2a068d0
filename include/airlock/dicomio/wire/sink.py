"""Where received instances go: what the receiver asks of whoever keeps them."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

# PS3.7 annex C and PS3.4 table B.2-1
SUCCESS, DUPLICATE, NOT_AUTHORISED = 0x0000, 0x0111, 0x0124
OUT_OF_RESOURCES, MISMATCH, CANNOT_UNDERSTAND = 0xA700, 0xA900, 0xC000
COMMITMENT = "1.2.840.10008.1.20.1"
"""Storage Commitment Push Model (PS3.4 annex J): its context carries reports, not instances."""

_UID = re.compile(r"[0-9]+(\.[0-9]+)*")


def is_uid(text: str) -> bool:
    """Whether a text is a UID (PS3.5 section 9.1), and so also a file name that leads nowhere else."""
    return len(text) <= 64 and _UID.fullmatch(text) is not None


@dataclass(frozen=True)
class Caller:
    """Who sends: the AE titles of the association, the address that it comes from, and its number of all we had."""

    calling: str = ""
    called: str = ""
    address: str = ""
    association: int = 0


@dataclass(frozen=True, repr=False)
class Incoming:
    """What a C-STORE request says of the instance that follows. Nobody has checked it. Its repr shows no UID.

    :param originator: AE title that asked for it by C-MOVE, and the Message ID of its request, as far as it is told.
    """

    sop_class_uid: str
    sop_instance_uid: str
    transfer_syntax_uid: str
    caller: Caller = Caller()
    originator: tuple[str, int | None] = ("", None)


class Reception(Protocol):
    """An instance that is coming."""

    def write(self, data: memoryview) -> None:
        """Take the next bytes of its dataset; they are valid during the call only. Raises nothing."""

    def finish(self) -> int:
        """All bytes have come. Return the status of the answer; with 0, the instance is safe. Raises nothing."""

    def abandon(self) -> None:
        """Leave nothing behind: the rest will not come."""


class Sink(Protocol):
    """Keeps instances. Called from the threads of all associations."""

    def begin(self, instance: Incoming) -> Reception:
        """Begin to receive an instance. Raises nothing: what cannot be taken is a :class:`Refusal`."""

    def ended(self, caller: Caller) -> None:
        """Take note that an association has ended. Raises nothing."""


class Refusal:
    """An instance that is not wanted: its bytes are let pass.

    :param status: of the answer.
    :param answered: told the status when it is answered.
    """

    def __init__(self, status: int, answered: Callable[[int], None] = lambda _: None) -> None:
        self._status = status
        self._answered = answered

    def write(self, data: memoryview) -> None:
        """Let the bytes pass."""

    def finish(self) -> int:
        """Return the status."""
        self._answered(self._status)
        return self._status

    def abandon(self) -> None:
        """Do nothing: there is nothing."""
