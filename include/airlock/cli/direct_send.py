"""`airlock send` without click, where its arguments are plainly right: see :mod:`airlock.cli.direct`.

What is not plainly right is left to the command of the same name; both do the same work (:mod:`airlock.cli.sending`).
"""

from __future__ import annotations

import os
from collections.abc import Callable

from airlock.cli.plain import read_arguments

VALUES = {"--host": "host", "--port": "port", "--called-aet": "called_aet", "--calling-aet": "calling_aet"}
"""Options, each with a value, by the names of what they say of a peer."""
_MOST_DIGITS = 5


def find_send(arguments: list[str]) -> Callable[[], int] | None:
    """Return what sends a folder; None when that is click's to decide.

    :param arguments: those after `send`.
    """
    places, options = read_arguments(arguments, VALUES)
    values = {VALUES[name]: value for name, value in options.items()}
    port = values.pop("port", "")
    if len(places) != 1 or not values.get("host") or not (port.isdecimal() and port.isascii()):
        return None
    if len(port) > _MOST_DIGITS or not 0 < int(port) < 65536 or not os.access(places[0], os.R_OK):
        return None
    from airlock.cli.sending import send_folder  # noqa: PLC0415 - most of the commands do without
    from airlock.dicomio.peer import Peer  # noqa: PLC0415 - as above

    return lambda: send_folder(Peer.from_parts(values.pop("host"), int(port), values), places[0])
