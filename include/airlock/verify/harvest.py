"""Harvest the inputs a second time, with other code than de-identification: what must be found in no output.

Attributes are told by tag and VR. Names are every PN, at any level, also in private elements that declare it; numbers,
addresses and telephone numbers come from the attributes that PS3.3 has for them.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator

from airlock.identity.evidence import Evidence
from airlock.tuples import NamedTuple
from airlock.typed import Any
from airlock.verify.levels import Element, Level, Malformed, Shape
from airlock.verify.own import FirstValues, first_of
from airlock.verify.source import Sources, sources
from airlock.verify.text import DATES, charset_of, decode, values, vr_of
from airlock.verify.uids import is_registered, is_structural

_NUMBERS = frozenset(
    (
        0x00080050, 0x00100020, 0x00100033, 0x00100034, 0x00101000, 0x00101050, 0x00101090, 0x00102295,
        0x00120040, 0x00120042, 0x00200010, 0x00380010, 0x00380060, 0x00400009, 0x00400253, 0x0040050A,
        0x00400512, 0x00400551, 0x00401001, 0x00401006, 0x00401007, 0x00402016, 0x00402017, 0x0040E001,
        0x22000005,
    )
)  # fmt: skip
_INSTITUTIONS = frozenset((0x00080080, 0x00080081, 0x00102299, 0x00321033, 0x0040A027))
_PHRASES = _INSTITUTIONS | {0x00080092, 0x00101040, 0x00380400, 0x00401102}
_PHONES = frozenset((0x00080094, 0x00102154, 0x00102155, 0x00401103, 0x00401104, 0x00402010, 0x00402011))
# Of these VRs, nothing that identifies is harvested, whatever the attribute.
_SILENT = frozenset(b"AE AS AT CS DS FD FL IS OB OD OF OL OV OW SL SS SV TM UL US UV".split())
_NAMES = frozenset((0x00100012,))
_BIRTH_DATE = 0x00100030
# When something was done, which may have been on the day of birth.
_EVENTS = frozenset((0x00080020, 0x00080021, 0x00080022, 0x00080023, 0x0008002A))
_DAY = re.compile(r"(\d{4})\.?(0[1-9]|1[0-2])\.?(0[1-9]|[12]\d|3[01])")
_PARTS = re.compile(rb"[\\^=]")
_MOST_REMEMBERED = 20_000
_LONGEST_REMEMBERED = 4096
_MOST_PATIENTS = 32
# PatientID and its issuer; study, series and instance.
_OWN = ((0x00100020, b"LO"), (0x00100021, b"LO"), (0x0020000D, b"UI"), (0x0020000E, b"UI"), (0x00080018, b"UI"))
Fact = tuple[str, str | bytes]
"""Kind of evidence (a field of :class:`Evidence`), and value."""


Said = dict[str, set[Any]]
"""Evidence by kind, of kinds of which there is some."""


class Harvested(NamedTuple):
    """What one input says. It holds patient data: never log it.

    :param patient: its PatientID and issuer.
    :param uids: its own StudyInstanceUID, SeriesInstanceUID and SOPInstanceUID.
    """

    said: Said
    patient: tuple[str, str]
    uids: tuple[str, str, str]

    def __repr__(self) -> str:
        return "<Harvested>"

    @property
    def evidence(self) -> Evidence:
        """What it says, on its own."""
        return Evidence(**self.said)

    @property
    def key(self) -> str:
        """What tells its patient from others: without a PatientID, the instances of a study are one patient's."""
        return f"id {self.patient[0]}" if self.patient[0] else f"study {self.uids[0]}"


class Harvester:
    """Harvests inputs, remembering what equal elements said, and of some patients what was told already.

    :param institutions: whether institutions are identifiers: not when the project retains them.
    :param sources: reads the inputs, and keeps what it read of them for the inspection.
    """

    def __init__(self, *, institutions: bool, sources: Sources | None = None) -> None:
        self._phrases = _PHRASES if institutions else _PHRASES - _INSTITUTIONS
        self._remembered: dict[tuple[int, bytes, bytes, bytes], tuple[Fact, ...]] = {}
        self._sources = sources or Sources()
        self._own = FirstValues(*_OWN)
        self._told: dict[str, set[Fact]] = {}
        self._patient = ""
        # Of the latest files of this patient, by character set: elements by tag.
        self._latest: dict[bytes, dict[int, Element]] = {}
        # Of the latest file of this patient: what it has in common with others, and its character set.
        self._shape: tuple[Shape | None, bytes] = (None, b"")

    def __call__(self, path: str | os.PathLike[str]) -> Harvested | None:
        """Harvest a file; None when it cannot be read. What a call told of a patient is mostly not told again."""
        try:
            file, descriptor = self._sources.open(path)
        except (Malformed, OSError, RecursionError, MemoryError):
            return None
        self._sources.keep(os.fspath(path), file, descriptor)
        os.close(descriptor)
        patient, issuer, *uids = self._own(file.dataset)
        found = Harvested({}, (patient, issuer), (uids[0], uids[1], uids[2]))
        told = self._told_of(found.key)
        facts = self._dataset(file.dataset)
        if file.tail is not None:
            facts |= self._dataset(file.tail)
        if new := facts - told:
            told |= new
            for kind, value in new:
                found.said.setdefault(kind, set()).add(value)
        return found

    def _told_of(self, patient: str) -> set[Fact]:
        """Return what was told of a patient; when it is another one than before, elements are looked at anew."""
        if patient != self._patient:
            self._patient = patient
            self._latest.clear()
            self._shape = (None, b"")
        told = self._told.get(patient)
        if told is None:
            if len(self._told) >= _MOST_PATIENTS:
                self._told.clear()
            told = self._told[patient] = set()
        return told

    def _dataset(self, top: Level) -> set[Fact]:
        facts: set[Fact] = set()
        charset = charset_of(top, b"")
        if len(self._remembered) > _MOST_REMEMBERED:
            self._remembered.clear()
        latest = self._latest.setdefault(charset, {})
        # What all files of this shape say was told of the first of them.
        known = top.shape is not None and (top.shape, charset) == self._shape
        self._shape = (top.shape, charset)
        differing = zip(top.shape.varying, top.varied, strict=True) if known and top.shape else top.gathered().items()
        for tag, element in differing:
            # What stands in this file as the same element as in the latest one was told then.
            if element.vr in _SILENT or latest.get(tag) is element:
                continue
            # An object's own UID is another one in the next, so that it need not be remembered what it says.
            own = element.vr == b"UI" and element.items is None
            facts.update(
                self._facts(tag, b"UI", element.value, charset) if own else self._said(top, tag, element, charset)
            )
            latest[tag] = element
        return facts

    def _said(self, top: Level, tag: int, element: Element, charset: bytes) -> tuple[Fact, ...]:
        if not element.value or len(element.value) > _LONGEST_REMEMBERED:
            return tuple(self._element(top, tag, element, charset))
        key = (tag, element.vr, element.value, charset)
        said = self._remembered.get(key)
        if said is None:
            said = self._remembered[key] = tuple(self._element(top, tag, element, charset))
        return said

    def _element(self, level: Level, tag: int, element: Element, charset: bytes) -> Iterator[Fact]:
        stack = [(level, tag, element, charset)]
        # Items that are the same bytes are the same object, and say the same.
        seen: set[tuple[int, bytes]] = set()
        while stack:
            level, tag, element, charset = stack.pop()
            if element.items is None:
                yield from self._facts(tag, element.vr, element.value, charset)
                continue
            if (id(element.items), charset) in seen:
                continue
            seen.add((id(element.items), charset))
            for item in element.items:
                inner = charset_of(item, charset)
                stack.extend((item, each, found, inner) for each, found in item.elements.items())

    def _facts(self, tag: int, encoded_vr: bytes, raw: bytes, charset: bytes) -> Iterator[Fact]:
        vr = vr_of(tag, encoded_vr)
        if vr == b"PN":
            groups = {group for value in values(raw, vr, charset) for group in value.split("=")}
            yield from (("names", group) for group in groups if group.strip(" ^"))
            yield from _encoded(raw)
        elif vr == b"UI":
            for value in () if is_structural(tag) else decode(raw, vr, charset).split("\\"):
                if (uid := value.strip(" \0")) and not is_registered(uid):
                    yield "uids", uid
        elif vr in DATES:
            kind = "birth_dates" if tag == _BIRTH_DATE else "dates"
            for value in values(raw, vr, charset):
                if day := _DAY.match(value):
                    yield kind, "".join(day.groups())
                    if tag in _EVENTS:
                        yield "events", "".join(day.groups())
        else:
            yield from self._by_tag(tag, vr, raw, charset)

    def _by_tag(self, tag: int, vr: bytes, raw: bytes, charset: bytes) -> Iterator[Fact]:
        by_tag = ((_NUMBERS, "numbers"), (self._phrases, "phrases"), (_PHONES, "phones"), (_NAMES, "names"))
        for tags, kind in by_tag:
            if tag in tags:
                yield from ((kind, value) for value in values(raw, vr, charset))
                yield from _encoded(raw)


def _encoded(raw: bytes) -> Iterator[Fact]:
    """Yield the parts of a value that are not ASCII, and long enough to be told from chance, as they are encoded."""
    for part in _PARTS.split(raw):
        trimmed = part.strip(b" \0")
        if len(trimmed) >= 6 and (not trimmed.isascii() or b"\x1b" in trimmed):
            yield "encoded", trimmed


def identity(top: Level) -> tuple[tuple[str, str], tuple[str, str, str]]:
    """Return PatientID and issuer, and StudyInstanceUID, SeriesInstanceUID and SOPInstanceUID of a dataset."""
    patient, issuer, study, series, instance = (first_of(top, *attribute) for attribute in _OWN)
    return (patient, issuer), (study, series, instance)


def make_harvester(institutions: bool) -> Callable[[str], tuple[Any, ...] | None]:
    """Return the function that workers harvest inputs with: it tells plain values, the fields of :class:`Harvested`.

    :param institutions: whether institutions are identifiers.
    """
    harvester = Harvester(institutions=institutions, sources=sources())

    def harvest(path: str) -> tuple[Any, ...] | None:
        found = harvester(path)
        return None if found is None else tuple(found)

    return harvest
