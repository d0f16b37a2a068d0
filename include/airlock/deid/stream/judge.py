"""Values that stay as they are, judged together: the answer is that of judging each alone, for a fraction of the time.

Whoever is told no judges each value alone; only a yes is final. It is given where one text with all values in it,
which every test for an identifier finds at least as much in as in the values, shows none.
"""

from __future__ import annotations

from collections.abc import Sequence

from airlock.deid.stream.table import BINARY, NUMERIC, TIME
from airlock.identity.identifiers import Identifiers
from airlock.patterns import compiled_later

# Numbers without a decimal comma, or what is no number to a device (:mod:`airlock.deid.rewrite`).
_NUMERIC = b"0123456789+-.eE \0\\"
_TIME = rb"(?:[0-9]{2}(?::?[0-9]{2}(?::?[0-9]{2}(?:\.[0-9]{1,9})?)?)?)?[ \0]*"
_TIMES = compiled_later(_TIME + rb"(?:\\" + _TIME + rb")*")


def may_stay(sort: int, values: Sequence[bytes], identifiers: Identifiers) -> bool:
    """Whether encoded values may all stay.

    :param sort: how they are judged: NUMERIC, TIME or BINARY.
    """
    if sort == BINARY:
        return not identifiers.any_in_bytes(values)
    # A backslash is what stands between the values of one element too.
    joined = b"\\".join(values)
    if sort == NUMERIC:
        return not joined.translate(None, _NUMERIC) and not identifiers.is_any_number(joined)
    return sort == TIME and _TIMES.fullmatch(joined) is not None
