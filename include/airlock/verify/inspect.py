"""Inspect one output against its input: what must not be in it, and what must."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from pydicom.dataset import Dataset
from pydicom.filereader import read_file_meta_info
from pydicom.tag import BaseTag

from airlock.dicomio.part10 import Instance, open_instance
from airlock.dicomio.quiet import quiet
from airlock.errors import InstanceNotUnderstood
from airlock.identity.harvest import Evidence, harvest_file, vr_of
from airlock.identity.identifiers import Identifiers
from airlock.verify.elements import Position, dates_by_position, find_identifiers, must_be_gone, name_of, walk

# PS3.15 table E.1-1: the file meta information says nothing of where an object came from.
_FORBIDDEN_META = ("SourceApplicationEntityTitle", "SendingApplicationEntityTitle", "PrivateInformation")
_BIRTH = ("PatientBirthDate", "PatientBirthTime", "PatientBirthDateInAlternativeCalendar")


@dataclass(frozen=True)
class Check:
    """One output to inspect.

    :param instance_id: pseudonymous id.
    :param source: the input that it came from.
    :param sop_instance_uid: the new UID that the ledger has.
    """

    instance_id: str
    output: Path
    source: Path
    sop_instance_uid: str


@dataclass(frozen=True, repr=False)
class Expectation:
    """What all outputs of a transfer must be like. It holds patient data: never log it.

    :param dates: what (0028,0303) must say: REMOVED, MODIFIED or UNMODIFIED.
    :param public: texts that the output carries on purpose.
    """

    evidence: Evidence
    subject: str
    dates: str
    public: tuple[str, ...]
    keep_uids: bool


@dataclass(frozen=True)
class Problem:
    """Something wrong with an output.

    :param attribute: keyword.
    :param identifier: whether an identifier was found; else something is missing or should not be there.
    """

    attribute: str
    identifier: bool = False


def make_harvester(_argument: None) -> Callable[[Path], Evidence | None]:
    """Return the function that workers harvest inputs with; None for an input that cannot be read."""

    def harvest(path: Path) -> Evidence | None:
        try:
            return harvest_file(path)
        except (InstanceNotUnderstood, OSError, RecursionError, MemoryError):
            return None

    return harvest


def make_inspector(expectation: Expectation) -> Callable[[Check], list[Problem]]:
    """Return the function that workers inspect outputs with."""
    evidence = expectation.evidence
    if expectation.keep_uids:
        evidence = Evidence(**{**vars(evidence), "uids": set()})
    identifiers = Identifiers(evidence, expectation.public, keep_dates=expectation.dates == "UNMODIFIED")

    def inspect(check: Check) -> list[Problem]:
        try:
            with open_instance(check.output) as instance:
                return list(dict.fromkeys(_problems(instance, check, expectation, identifiers)))
        except Exception:  # noqa: BLE001 - whatever a library says quotes values; what cannot be read doesn't leave
            return [Problem("unreadable")]

    return inspect


def _problems(
    instance: Instance, check: Check, expectation: Expectation, identifiers: Identifiers
) -> Iterator[Problem]:
    yield from _meta_problems(instance.dataset, check)
    yield from _mark_problems(instance.dataset, expectation)
    for _position, _current, element in walk(instance.dataset):
        if must_be_gone(element.tag):
            yield Problem(name_of(element.tag))
    removed = expectation.dates == "REMOVED"
    for _position, keyword in find_identifiers(instance.dataset, identifiers, dates=removed):
        yield Problem(keyword, identifier=True)
    if expectation.dates == "MODIFIED":
        yield from _date_problems(instance.dataset, check.source)
    if identifiers.in_bytes(_bytes_around_pixels(instance), dates=removed):
        yield Problem("bytes outside the pixel data", identifier=True)


def _meta_problems(dataset: Dataset, check: Check) -> Iterator[Problem]:
    with check.output.open("rb") as stream:
        if stream.read(132) != bytes(128) + b"DICM":
            yield Problem("preamble")
    with quiet():
        meta = read_file_meta_info(check.output)
        uids = {str(meta.get("MediaStorageSOPInstanceUID", "")), str(dataset.get("SOPInstanceUID", ""))}
        if uids != {check.sop_instance_uid}:
            yield Problem("MediaStorageSOPInstanceUID")
        for keyword in _FORBIDDEN_META:
            if keyword in meta:
                yield Problem(keyword)


def _mark_problems(dataset: Dataset, expectation: Expectation) -> Iterator[Problem]:
    expected = {
        "PatientIdentityRemoved": "YES",
        "LongitudinalTemporalInformationModified": expectation.dates,
        "PatientID": expectation.subject,
    }
    for keyword, value in expected.items():
        if str(dataset.get(keyword, "")) != value:
            yield Problem(keyword)
    methods = {str(item.get("CodeValue", "")) for item in dataset.get("DeidentificationMethodCodeSequence", None) or ()}
    if "113100" not in methods:
        yield Problem("DeidentificationMethodCodeSequence")
    for _position, _current, element in walk(dataset):
        if name_of(element.tag) in _BIRTH and element.value:
            yield Problem(name_of(element.tag), identifier=True)


def _date_problems(output: Dataset, source: Path) -> Iterator[Problem]:
    """Compare dates where they stand: one that was moved may well equal another date of the study."""
    with open_instance(source) as instance:
        before = dates_by_position(instance.dataset)
        sizes = _items_by_position(instance.dataset)
    after = _items_by_position(output)
    for position, values in dates_by_position(output).items():
        # Items that were removed shift the numbers of those that follow.
        if any(sizes.get(position[:end]) != after[position[:end]] for end in range(1, len(position), 2)):
            continue
        if set(values) & set(before.get(position, ())) - {"19700101", "19700101000000"}:
            yield Problem(name_of(BaseTag(position[-1])), identifier=True)


def _items_by_position(dataset: Dataset) -> dict[Position, int]:
    return {
        position: len(element.value or ()) for position, _current, element in walk(dataset) if vr_of(element) == "SQ"
    }


def _bytes_around_pixels(instance: Instance) -> bytes:
    """Return everything but the pixel data's value, file meta information included."""
    stream, pixels = instance.stream, instance.pixels
    stream.seek(0)
    if pixels is None:
        return stream.read()
    head = stream.read(pixels.offset)
    stream.seek(pixels.size, 1)
    return head + stream.read()
