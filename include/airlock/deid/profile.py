"""The de-identification profile: table E.1-1 of PS3.15 and what the chosen options make of it."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from functools import lru_cache

from airlock.deid.forgotten import FORGOTTEN, is_typed
from airlock.deid.terms import OPTIONS, Terms
from airlock.dicomio.dictionary import entry
from airlock.errors import PolicyError
from airlock.tuples import NamedTuple
from airlock.typed import TYPE_CHECKING, Any, ClassVar

if TYPE_CHECKING:
    from airlock.deid.policy import Policy

DATE_VRS = frozenset(("DA", "DT", "TM"))
CODES = {
    "basic": ("113100", "Basic Application Confidentiality Profile"),
    "pixels": ("113101", "Clean Pixel Data Option"),
    "clean_graphics": ("113103", "Clean Graphics Option"),
    "clean_structured_content": ("113104", "Clean Structured Content Option"),
    "clean_descriptors": ("113105", "Clean Descriptors Option"),
    "retain_longitudinal_full_dates": ("113106", "Retain Longitudinal Temporal Information Full Dates Option"),
    "retain_longitudinal_modified_dates": ("113107", "Retain Longitudinal Temporal Information Modified Dates Option"),
    "retain_patient_characteristics": ("113108", "Retain Patient Characteristics Option"),
    "retain_device_identity": ("113109", "Retain Device Identity Option"),
    "retain_uids": ("113110", "Retain UIDs Option"),
    "retain_safe_private": ("113111", "Retain Safe Private Option"),
    "retain_institution_identity": ("113112", "Retain Institution Identity Option"),
}
"""Method codes of CID 7050 (PS3.16) in the order of their values."""


_OVERLAY_SUBTYPE = 0x0045


class Row(NamedTuple):
    """One attribute of table E.1-1.

    :param tag: eight hexadecimal digits; `xx` stands for the digits of a repeating group.
    :param options: action by option, `K` or `C`.
    """

    tag: str
    keyword: str
    name: str
    vr: str
    basic: str
    options: dict[str, str]


class ContentRow(NamedTuple):
    """One content item of table E.3.4-1, by its concept and value type."""

    scheme: str
    code: str
    value_type: str
    basic: str
    options: dict[str, str]


def read_shipped(name: str) -> Any:
    """Return a table that comes with the package."""
    import json  # noqa: PLC0415 - beside its only use

    return json.loads(_shipped(name))


def _shipped(name: str) -> bytes:
    with open(f"{os.path.dirname(__file__)}/profiles/{name}", "rb") as file:  # noqa: PTH120, PTH123 - on every start
        return file.read()


@lru_cache(maxsize=4)
def load_table(edition: str) -> tuple[dict[str, Row], dict[tuple[str, str, str], ContentRow]]:
    """Read a shipped profile.

    :return: attributes by tag, content items by (scheme, code, value type).
    """
    document = read_shipped(f"ps315_{edition}.json")
    rows = [Row(*row) for row in document["attributes"]]
    content = [ContentRow(scheme, code, kind, basic, by) for scheme, code, kind, _m, basic, by in document["content"]]
    return {row.tag: row for row in rows}, {(row.scheme, row.code, row.value_type): row for row in content}


def _parts(edition: str) -> tuple[bytes, bytes]:
    """Return the text of a shipped profile that is of attributes, and that of content items."""
    attributes, _, content = _shipped(f"ps315_{edition}.json").partition(b'"content_source"')
    return attributes, content


# The lines of either are not understood: most are never asked for.
@lru_cache(maxsize=4)
def _lines(edition: str) -> dict[bytes, bytes]:
    """Return the lines of attributes by tag."""
    return {line[2:10]: line for line in _parts(edition)[0].split(b"\n") if line.startswith(b'["')}


@lru_cache(maxsize=4)
def _content_lines(edition: str) -> dict[tuple[str, ...], bytes]:
    """Return the lines of content items by (scheme, code, value type)."""
    lines = _parts(edition)[1].split(b"\n")
    return {tuple(_understood(line)[:3]): line for line in lines if line.startswith(b'["')}


def _understood(line: bytes) -> list[Any]:
    """Return a row: texts, and at last a dictionary of texts."""
    if b"\\" not in line:
        # Nothing else of JSON is in it; to import what reads all of that takes longer than reading all rows.
        before, _, options = line.decode().rpartition("{")
        texts = options.split('"')[1::2]
        return [*before.split('"')[1::2], dict(zip(texts[::2], texts[1::2], strict=True))]
    import json  # noqa: PLC0415 - as the comment says

    row: list[Any] = json.loads(line.rstrip().removesuffix(b","))
    return row


@lru_cache(maxsize=4096)
def _row(edition: str, tag: int) -> Row | None:
    """Return the row of one attribute."""
    line = _lines(edition).get(b"%08X" % tag)
    return None if line is None else Row(*_understood(line))


@lru_cache(maxsize=512)
def _content_row(edition: str, *item: str) -> ContentRow | None:
    """Return the row of one content item."""
    line = _content_lines(edition).get(item)
    if line is None:
        return None
    scheme, code, value_type, _meaning, basic, options = _understood(line)
    return ContentRow(scheme, code, value_type, basic, options)


@lru_cache(maxsize=16384)
def dictionary_entry(tag: int) -> tuple[str, str]:
    """Return VR (alternatives joined by ` or `) and keyword of a public attribute; empty when PS3.6 has none."""
    try:
        found = entry(tag)
    except KeyError:
        return "", ""
    return found[0], found[4]


class Profile:
    """The table with a project's options in force, and what else its policy says of attributes.

    :param edition: of PS3.15.
    :param options: names as in `DeidentifyPolicy.options`.
    :param policy: the whole policy; edition and options are those given before.
    :raises PolicyError: when two options contradict each other.
    """

    EDITIONS: ClassVar[tuple[str, ...]] = ("2026d", "2024b")
    """Of which a table is shipped, the newest first."""

    def __init__(self, edition: str, options: Iterable[str] = (), policy: Policy | None = None) -> None:
        self.options = frozenset(options)
        if unknown := self.options - set(CODES) or self.options - set(OPTIONS):
            raise PolicyError(f"The de-identification options {', '.join(sorted(unknown))} are not supported.")
        self.edition = edition
        self.full_dates = "retain_longitudinal_full_dates" in self.options
        self.modified_dates = "retain_longitudinal_modified_dates" in self.options
        if self.full_dates and self.modified_dates:
            raise PolicyError(
                "retain_longitudinal_full_dates and retain_longitudinal_modified_dates contradict each other. "
                "Keep one of them in the project's policy."
            )
        in_force = tuple(option for option in OPTIONS if option in self.options)
        self.policy = (policy or Terms()).in_force(edition, in_force)
        self.keep_uids = "retain_uids" in self.options
        self.clean_text = "clean_descriptors" in self.options
        self._actions: dict[int, str] = {}

    @classmethod
    def of(cls, policy: Policy) -> Profile:
        """Return the profile of a project.

        :raises PolicyError: when a lookup table of its rules cannot be used.
        """
        from airlock.deid.lookup import load_lookup  # noqa: PLC0415 - few projects have such rules

        for rule in policy.rules:
            if rule.table is not None:
                load_lookup(rule.table, rule.type)
        return cls(policy.edition, policy.options, policy)

    @property
    def dates(self) -> str:
        """What LongitudinalTemporalInformationModified (0028,0303) must say."""
        if self.full_dates:
            return "UNMODIFIED"
        return "MODIFIED" if self.modified_dates else "REMOVED"

    def rows(self) -> Iterator[Row]:
        """Yield the table's rows in the order of their tags, those of groups last."""
        rows = load_table(self.edition)[0]
        yield from (rows[tag] for tag in sorted(filter(_is_plain, rows)))
        yield from (row for tag, row in rows.items() if not _is_plain(tag))

    def row(self, tag: int) -> Row | None:
        """Return the row of an attribute, if the table has one of its own."""
        return _row(self.edition, tag)

    def action(self, tag: int) -> str:
        """Return what the table and the options say of a public attribute.

        One of the table's actions (`X`, `Z`, `D`, `U`, composites such as `X/Z/D`), `K` (keep), `C` (clean),
        `S` (shift a date); for attributes that the table does not list, what their VR asks for.
        """
        action = self._actions.get(tag)
        if action is None:
            row = _row(self.edition, tag)
            action = self._actions[tag] = self._unlisted(tag) if row is None else self._listed(row)
        return action

    def content_action(self, scheme: str, code: str, value_type: str) -> str | None:
        """Return what table E.3.4-1 says of a content item; None when it does not list it."""
        row = _content_row(self.edition, scheme, code, value_type)
        if row is None:
            return None
        chosen = {action for option, action in row.options.items() if option in self.options}
        return "K" if "K" in chosen else "C" if chosen else row.basic

    def _listed(self, row: Row) -> str:
        chosen = {option: row.options[option] for option in row.options if option in self.options}
        if not chosen:
            return row.basic
        vr = row.vr or dictionary_entry(int(row.tag, 16))[0]
        if "retain_longitudinal_modified_dates" in chosen and vr != "SQ":
            # Keeping the date of a calibration as it was would give away the offset of all the others.
            if vr in DATE_VRS or not vr:
                return "S"
            # The zone doesn't say which day it is; a moved date keeps it.
            return "K" if row.keyword == "TimezoneOffsetFromUTC" else row.basic
        return "K" if "K" in chosen.values() else "C"

    def _unlisted(self, tag: int) -> str:
        vr, keyword = dictionary_entry(tag)
        if tag >> 24 in (0x50, 0x60):
            return self._graphics(tag, vr)
        # What PS3.6 only reserves has a VR, but no name.
        if not vr or not keyword or tag >> 16 <= 0x0007 or tag >> 16 >= 0xFFFA:
            return "X"
        if keyword in FORGOTTEN:
            return FORGOTTEN[keyword]
        if keyword == "TextValue":
            return "C" if "clean_structured_content" in self.options else "D"
        if keyword == "PrivateDataElementCharacteristicsSequence":
            return "K" if self.policy.private_mode == "safe" else "X"
        return "C" if is_typed(vr, keyword) else self._by_vr(vr)

    def _by_vr(self, vr: str) -> str:
        if vr == "PN":
            return "X/Z/D"
        if vr in DATE_VRS:
            return "K" if self.full_dates else "S" if self.modified_dates else "X/Z/D"
        return "U" if vr == "UI" else "K"

    def _graphics(self, tag: int, vr: str) -> str:
        """Return the action on curves (50xx) and overlays (60xx)."""
        spoken = tag >> 24 == 0x50 and 0x2000 <= tag & 0xFFFF < 0x2500
        if "clean_graphics" not in self.options or not vr or spoken:
            return "X"
        return "C" if vr in ("LO", "SH", "LT", "ST", "UT") and tag & 0xFFFF != _OVERLAY_SUBTYPE else "K"

    def unknown(self, tag: int, vr: str) -> str:
        """Return the action on an attribute that neither the table nor PS3.6 knows.

        :param vr: as the file encodes it.
        """
        if self.policy.unlisted == "remove" or tag >> 24 in (0x50, 0x60) or tag >> 16 <= 0x0007 or tag >> 16 >= 0xFFFA:
            return "X"
        return self._by_vr(vr)


def _is_plain(tag: str) -> bool:
    return "x" not in tag and tag != "PRIVATE"
