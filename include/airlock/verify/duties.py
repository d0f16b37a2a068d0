"""What de-identification owes beyond the table: preamble, file meta information, marks (PS3.15 section E.1.1, E.3)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import lru_cache

from airlock.dicomio.implementation import IMPLEMENTATION_CLASS_UID
from airlock.tuples import NamedTuple
from airlock.verify.found import Problem
from airlock.verify.levels import Element, Level, Shape
from airlock.verify.own import first_of
from airlock.verify.reader import File
from airlock.verify.text import name_of

# PS3.10 table 7.1-1, without what says where a file came from.
_META = frozenset((0x00020000, 0x00020001, 0x00020002, 0x00020003, 0x00020010, 0x00020012, 0x00020013))
_CODES = {
    "retain_safe_private": "113111",
    "retain_uids": "113110",
    "retain_device_identity": "113109",
    "retain_institution_identity": "113112",
    "retain_patient_characteristics": "113108",
    "retain_longitudinal_full_dates": "113106",
    "retain_longitudinal_modified_dates": "113107",
    "clean_descriptors": "113105",
    "clean_structured_content": "113104",
    "clean_graphics": "113103",
}
_BASIC, _PIXELS, _FACES = "113100", "113101", "113102"
_ACCESSION, _REFERRING = 0x00080050, 0x00080090
# Where FIONA writes the name of the event.
_OF_EVENT = frozenset((_REFERRING, 0x00401002, 0x00402001))
_ITEM_TAGS = frozenset((0x00080100, 0x00080102, 0x00080104))
_STUDY_ID, _CHARSET = 0x00200010, 0x00080005
# What is checked in each file, and what is checked once for all files of the same shape.
_LENGTH, _EMPTY_VALUE = 0x00020000, b" \0\\"
_OF_BOTH = ((0x00020002, 0x00080016), (0x00020003, 0x00080018))
"""Class and instance: in the file meta information, and in the dataset."""
_OF_EACH = frozenset((_LENGTH, *(tag for tag, _ in _OF_BOTH)))
_SHOWN = _OF_EVENT | frozenset(
    (
        _CHARSET, _ACCESSION, 0x00080080, 0x00100010, 0x00100020, 0x00100030, 0x00100032, 0x00100033,
        0x00100034, 0x00120010, 0x00120020, 0x00120021, 0x00120040, 0x00120050, 0x00120051, 0x00120062, 0x00120064,
        _STUDY_ID, 0x00280301, 0x00280302, 0x00280303,
    )
)  # fmt: skip
_SHOWN_OF_SOURCE = frozenset((_CHARSET, _ACCESSION, _STUDY_ID, 0x00280301, 0x00280302))
_LONG_VRS, _EMPTY_PREAMBLE, _MOST_KNOWN = (b"OB", b"UN"), bytes(128), 16


class Marks(NamedTuple):
    """What an output must say of itself.

    :param subject: research subject id; None when it isn't known.
    :param project: name of the project.
    :param event: name of the event, or empty.
    :param accessions: whether new accession numbers are given.
    """

    subject: str | None
    project: str
    options: frozenset[str]
    event: str = ""
    accessions: bool = False

    @property
    def stamped(self) -> frozenset[int]:
        """Attributes that de-identification writes besides those that it always does."""
        return (_OF_EVENT if self.event else frozenset()) | ({_ACCESSION} if self.accessions else frozenset())

    @property
    def dates(self) -> str:
        """Value of LongitudinalTemporalInformationModified (PS3.15 section E.3.6)."""
        if "retain_longitudinal_full_dates" in self.options:
            return "UNMODIFIED"
        return "MODIFIED" if "retain_longitudinal_modified_dates" in self.options else "REMOVED"


class Duties:
    """Checks what outputs of one project owe.

    What differs between objects of the same shape is checked in each; of the rest, it is remembered what was found.
    Only the attributes that are named here are shown to what is remembered.
    """

    def __init__(self, marks: Marks) -> None:
        self._marks = marks
        self._known: dict[tuple[object, ...], tuple[Problem, ...]] = {}

    def __call__(self, output: File, source: File, *, rewritten: bool) -> Iterator[Problem]:
        """Yield what an output owes.

        :param rewritten: whether burned-in text was removed from this instance.
        """
        if output.preamble != _EMPTY_PREAMBLE:
            yield Problem("preamble", "is not empty")
        yield from _of_each(output.meta, output.dataset)
        shapes = (output.meta.shape, output.dataset.shape, source.dataset.shape, rewritten)
        found = self._known.get(shapes)
        if found is None:
            levels = ((output.meta, None), (output.dataset, _SHOWN), (source.dataset, _SHOWN_OF_SOURCE))
            found = tuple(self._of_all(*(_view(level, tags) for level, tags in levels), rewritten=rewritten))
            if all(_is_same(level, tags) for level, tags in levels):
                if len(self._known) >= _MOST_KNOWN:
                    self._known.clear()
                self._known[shapes] = found
        yield from found

    def _of_all(self, meta: Level, dataset: Level, source: Level, *, rewritten: bool) -> Iterator[Problem]:
        yield from _meta(meta)
        yield from _marks(dataset, self._marks)
        for tag in (_STUDY_ID, _ACCESSION):
            before = first_of(source, tag)
            if before and before == first_of(dataset, tag):
                yield Problem(name_of(tag), "is the input's", identifier=True)
        yield from _codes(dataset, self._marks, rewritten=rewritten)
        yield from _pixels(dataset, source, rewritten=rewritten)


def _view(level: Level, tags: frozenset[int] | None) -> Level:
    """Return a level with some of its elements; of the file meta information, with all that are not of each file."""
    if tags is None:
        return Level(level.order, {tag: each for tag, each in level.elements.items() if tag not in _OF_EACH})
    return Level(level.order, {tag: each for tag, each in level.elements.items() if tag in tags})


def _is_same(level: Level, tags: frozenset[int] | None) -> bool:
    """Whether what :func:`_view` returns is the same for all levels of the same shape."""
    if level.shape is None:
        return False
    return _OF_EACH.issuperset(level.shape.varying) if tags is None else tags.isdisjoint(level.shape.varying)


def _of_each(meta: Level, dataset: Level) -> Iterator[Problem]:
    """Check what differs from file to file: class and instance, and the length of the file meta information."""
    for tag, beside in _OF_BOTH:
        raw = meta.value(tag)
        # The same bytes are the same value, if there is one.
        if raw is None or raw != dataset.value(beside) or not raw.strip(_EMPTY_VALUE):
            uid = first_of(meta, tag, b"UI")
            if not uid or uid != first_of(dataset, beside, b"UI"):
                yield Problem(name_of(tag), "is not what the dataset says")
    own = meta.value(_LENGTH)
    # Less the element that holds it.
    if own is None or int.from_bytes(own, "little") != _size(meta) - 8 - len(own):
        yield Problem(name_of(_LENGTH), "is not the length of its group")


def _size(meta: Level) -> int:
    """Return the size of the file meta information in bytes."""
    if meta.shape is None:
        return _size_of(meta.elements.values())
    return _size_of_rest(meta.shape) + _size_of(meta.varied)


@lru_cache(maxsize=_MOST_KNOWN)
def _size_of_rest(shape: Shape) -> int:
    return _size_of(element for tag, element in shape.elements.items() if tag not in shape.places)


def _size_of(elements: Iterable[Element]) -> int:
    # PS3.5 section 7.1.2: a short VR has a head of 8 bytes, the others of 12.
    return sum([len(element.value) + (12 if element.vr in _LONG_VRS else 8) for element in elements])


def _meta(meta: Level) -> Iterator[Problem]:
    for tag in meta.elements.keys() - _META:
        yield Problem(name_of(tag), "is not this program's file meta information")
    if first_of(meta, 0x00020012, b"UI") != IMPLEMENTATION_CLASS_UID:
        yield Problem(name_of(0x00020012), "is not this program's")
    if not first_of(meta, 0x00020013, b"SH").startswith("AIRLOCK"):
        yield Problem(name_of(0x00020013), "is not this program's")
    if meta.value(0x00020001) != b"\0\1":
        yield Problem(name_of(0x00020001), "is not that of the standard")


def _marks(dataset: Level, marks: Marks) -> Iterator[Problem]:
    expected = {0x00120062: "YES", 0x00280303: marks.dates, 0x00120020: marks.project}
    if marks.subject is not None:
        expected[0x00100020] = expected[0x00120040] = marks.subject
    for tag, value in expected.items():
        if first_of(dataset, tag) != value:
            yield Problem(name_of(tag), "does not say what it must")
    if not first_of(dataset, 0x00100020) or first_of(dataset, 0x00100020) != first_of(dataset, 0x00120040):
        yield Problem(name_of(0x00100020), "is not the research subject's")
    yield from _stamps(dataset, marks)
    for tag in (0x00100030, 0x00100032, 0x00100033, 0x00100034):
        if dataset.value(tag):
            yield Problem(name_of(tag), "is left", identifier=True)


def _stamps(dataset: Level, marks: Marks) -> Iterator[Problem]:
    """Check that what the project's own names were written into holds nothing else."""
    subject = first_of(dataset, 0x00100020)
    allowed = {0x00100010: subject.replace("=", "-").replace("^", " ")}
    allowed |= dict.fromkeys((0x00120010, 0x00120021), marks.project)
    allowed |= dict.fromkeys((0x00120050, 0x00120051), marks.event)
    if "retain_institution_identity" not in marks.options:
        allowed[0x00080080] = marks.project
    text = f"EventName:{marks.event}"[:64].rstrip()
    for tag in marks.stamped & _OF_EVENT:
        allowed[tag] = text.replace("=", "-").replace("^", " ") if tag == _REFERRING else text
    for tag, value in allowed.items():
        if first_of(dataset, tag, b"PN" if tag in (0x00100010, _REFERRING) else b"LO") not in ("", value):
            yield Problem(name_of(tag), "holds something else than the project's own name for it")


def _codes(dataset: Level, marks: Marks, *, rewritten: bool) -> Iterator[Problem]:
    expected = {_BASIC, *(_CODES[option] for option in marks.options)} | ({_PIXELS} if rewritten else set())
    sequence = dataset.elements.get(0x00120064)
    found: list[str] = []
    for item in sequence.items if sequence is not None and sequence.items else ():
        if first_of(item, 0x00080102) != "DCM" or not item.elements.keys() <= _ITEM_TAGS or not item.value(0x00080104):
            yield Problem(name_of(0x00120064), "holds an item that is no method code")
        found.append(first_of(item, 0x00080100))
    if sorted(found) != sorted(expected):
        yield Problem(name_of(0x00120064), "does not name the methods that were used")


def _pixels(dataset: Level, source: Level, *, rewritten: bool) -> Iterator[Problem]:
    burned, before = first_of(dataset, 0x00280301), first_of(source, 0x00280301)
    if rewritten and burned != "NO":
        yield Problem(name_of(0x00280301), "does not say that burned-in text was removed")
    if not rewritten and burned not in ("", "YES", before):
        yield Problem(name_of(0x00280301), "says what nobody found out")
    faces = first_of(dataset, 0x00280302)
    if faces not in ("", "YES", first_of(source, 0x00280302)):
        yield Problem(name_of(0x00280302), "says what nobody found out")
