"""What the actions of a project's rules make of a value, where they are none of the standard's table."""

from __future__ import annotations

import re
from collections.abc import Callable

from airlock.errors import InstanceNotUnderstood
from airlock.identity.keyed import keyed_digest
from airlock.typed import TYPE_CHECKING

if TYPE_CHECKING:
    from airlock.rules import Rule

OLDEST_YEARS = 90
TEXT_VRS = frozenset(("AE", "CS", "LO", "SH", "ST", "LT", "UT", "UC", "PN", "UR"))
_INTEGERS = frozenset(("IS", "US", "UL", "SS", "SL", "UV", "SV"))
_NUMBERS = _INTEGERS | {"DS", "FL", "FD"}
_AGE = re.compile(r"([0-9]{1,3})([DWMY])")
_DAYS = {"D": 1, "W": 7, "M": 30.4375, "Y": 365.25}


class Treatments:
    """Treats single values of a known VR.

    :param key: of the project, for keyed hashes.
    """

    def __init__(self, key: bytes) -> None:
        self._key = key
        self._by_name: dict[str, Callable[[Rule, str, str], str | None]] = {
            "replace": _replace,
            "hash": self._hash,
            "round": _round,
            "truncate": _truncate,
            "lookup": _lookup,
            "keep-matching": _keep_matching,
        }

    def treat(self, name: str, rule: Rule, vr: str, value: str) -> str | None:
        """Return what a value becomes; None when the action does not fit it.

        :raises InstanceNotUnderstood: when a table does not know the value.
        """
        return self._by_name[name](rule, vr, value)

    def _hash(self, rule: Rule, vr: str, value: str) -> str | None:
        import base64  # noqa: PLC0415 - few projects have such rules

        from pydicom.valuerep import MAX_VALUE_LEN  # noqa: PLC0415 - as above

        digest = keyed_digest(self._key, value.strip(" \0").encode("utf-8", "surrogateescape"))
        length = min(rule.length or 16, MAX_VALUE_LEN.get(vr, 64))
        if vr in ("IS", "DS"):
            return str(int.from_bytes(digest, "big") % 10 ** min(length, 9))
        return base64.b32encode(digest + digest).decode("ascii")[:length] if vr in TEXT_VRS else None


def _replace(rule: Rule, vr: str, value: str) -> str | None:
    return rule.value if fits(vr, rule.value or "") else None


def _round(rule: Rule, vr: str, value: str) -> str | None:
    if vr == "AS":
        return round_age(value, rule.to or 1)
    from decimal import Decimal, InvalidOperation  # noqa: PLC0415 - few projects have such rules

    if vr not in _NUMBERS:
        return None
    try:
        number = Decimal(value.strip(" \0"))
        rounded = (number / (rule.to or 1)).to_integral_value() * (rule.to or 1)
    except (InvalidOperation, ZeroDivisionError):
        return None
    text = f"{rounded:f}"
    return text if len(text) <= 16 else None


def _truncate(rule: Rule, vr: str, value: str) -> str | None:
    return value[: rule.length].rstrip(" ^=") if vr in TEXT_VRS else None


def _lookup(rule: Rule, vr: str, value: str) -> str | None:
    from airlock.deid.lookup import load_lookup  # noqa: PLC0415 - few projects have such rules

    key = value.strip(" \0")
    found = load_lookup(rule.table or "", rule.type).get(key)
    if found is None:
        raise InstanceNotUnderstood(
            f"A value of {rule.tag or rule.private or rule.path or rule.vr} is not in the project's lookup table. "
            "Add it there, and clear the de-identification step."
        )
    return found if fits(vr, found) else None


def _keep_matching(rule: Rule, vr: str, value: str) -> str | None:
    """Keep a value that matches as a whole; of one with groups, only what they hold."""
    match = re.fullmatch(rule.pattern or "", value.strip(" \0"), re.DOTALL)
    if match is None:
        return None
    return " ".join(group for group in match.groups() if group) if match.re.groups else value


def fits(vr: str, value: str) -> bool:
    """Whether a text is a legal value of a VR (PS3.5 section 6.2)."""
    from pydicom.config import RAISE  # noqa: PLC0415 - few projects have such rules
    from pydicom.valuerep import validate_value  # noqa: PLC0415 - as above

    if vr in _INTEGERS:
        return re.fullmatch(r"[+-]?[0-9]{1,12}", value) is not None
    if vr in ("FL", "FD"):
        return re.fullmatch(r"[+-]?[0-9]+(\.[0-9]+)?", value) is not None
    try:
        validate_value(vr, value, RAISE)
    except (ValueError, NotImplementedError):
        return False
    return True


def round_age(text: str, years: int) -> str | None:
    """Return an AS value as the nearest multiple of so many years; of 90 years and more, 90.

    Months, weeks and days stay when ages are not rounded. Halves are rounded up: 42 and 43 give 045Y by fives.
    """
    match = _AGE.fullmatch(text.strip(" \0"))
    if match is None:
        return None
    number, unit = int(match[1]), match[2]
    age = number * _DAYS[unit] / _DAYS["Y"]
    if age >= OLDEST_YEARS:
        return f"{OLDEST_YEARS:03}Y"
    if years == 1:
        return f"{number:03}{unit}"
    return f"{min(int((age + years / 2) // years) * years, OLDEST_YEARS):03}Y"
