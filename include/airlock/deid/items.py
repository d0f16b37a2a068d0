"""What the concept of a content item asks for (PS3.15 table E.3.4-1), whoever reads the item."""

from __future__ import annotations

from airlock.deid.concepts import CONTENT_VALUES
from airlock.deid.profile import Profile

# How old coding schemes are called where new ones are in the table (PS3.16 section 8.1).
_SCHEMES = {"SRT": "SCT", "99SDM": "SCT", "SNM3": "SCT"}


def item_action(profile: Profile, kind: str, scheme: str, code: str) -> str | None:
    """Return X, D, C or K for an item; None when the table does not list it.

    :param kind: its ValueType.
    :param scheme: coding scheme, and
    :param code: code value of its concept.
    """
    for known in (scheme, _SCHEMES.get(scheme, scheme)):
        action = profile.content_action(known, code, "NUM" if kind == "NUMERIC" else kind)
        if action is not None:
            # Templates may want what may be removed or replaced: replaced, it harms none.
            return "D" if action == "X/D" else action
    return None


def value_action(action: str | None, kind: str, keyword: str) -> str | None:
    """Return the action on one attribute of an item, as the table of attributes spells it; None when that decides.

    :param action: on the item, of :func:`item_action`.
    :param kind: its ValueType.
    """
    if action is None or CONTENT_VALUES.get(kind) != keyword:
        return None
    if action == "C" and kind in ("DATE", "TIME", "DATETIME"):
        return "S"
    if action in ("K", "C"):
        return action
    if kind in ("IMAGE", "COMPOSITE", "WAVEFORM"):
        return None  # the references inside are mapped or kept like all others
    return "Z" if kind in ("NUM", "NUMERIC") else "D"
