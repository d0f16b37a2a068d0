"""What is judged of many outputs at once is what is found in each alone; what is kept of inputs is what they hold."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pydicom
import pytest
from pydicom.dataset import Dataset

from airlock.dicomio.dictionary import tag_of
from airlock.identity.evidence import Evidence
from airlock.identity.identifiers import Identifiers
from airlock.project import ProjectPolicy
from airlock.verify import inspect, iods, shipped, source, together
from airlock.verify.checks import Check
from airlock.verify.columns import Columns
from airlock.verify.found import Problem
from airlock.verify.harvest import Harvester
from airlock.verify.named import named
from airlock.verify.pixels import _Buffer
from airlock.verify.search import Search
from airlock.verify.spelled import Spelled
from airlock.verify.text import entry
from airlock.workers import Lost, Workers
from tests.unit.verify.conftest import Case
from tests.unit.verify.test_mutations import WRONG
from tests.unit.verify.test_series import change, series, unchanged


@pytest.fixture(autouse=True)
def nothing_read() -> None:
    """Begin as a process does that has read nothing."""
    inspect._readers.cache_clear()
    source.sources.cache_clear()


def sets(problems: dict[str, list[Problem]]) -> dict[str, set[Problem]]:
    return {number: set(found) for number, found in problems.items()}


def test_together_and_alone_the_same_is_found(tmp_path: Path) -> None:
    made = series(tmp_path, 8 + 2 * len(WRONG), unchanged)
    for number, (fault, _) in zip(range(8, 8 + 2 * len(WRONG), 2), WRONG.values(), strict=True):
        change(made, number, fault)
    found = sets(made.verify())
    assert sum(map(bool, found.values())) >= len(WRONG)
    assert found == sets(made.verify(together=False))


def kept(made: Case, number: int, tag: int, vr: str, value: Any) -> None:
    """Have an input and its output say the same, as they do where a project keeps an attribute."""
    path = made.root / "in" / f"{number}.dcm"
    ds = pydicom.dcmread(path)
    ds.add_new(tag, vr, value)
    ds.save_as(path)
    change(made, number, lambda ds: ds.add_new(tag, vr, value))


@pytest.mark.parametrize(
    ("tag", "vr", "ordinary", "telling"),
    [
        (0x00200013, "IS", "{}", "7731942"),
        (0x00201041, "DS", "{}.5", "7731942"),
        (0x00201041, "DS", "{}.5", "19610203"),
        (0x00189327, "FD", "{}", "7731942"),
        (0x00080031, "TM", "1015{:02}", "QUILLFEATHER"),
        (0x00185100, "CS", "HFS{}", "QUILLFEATHER"),
    ],
)
def test_an_identifier_among_values_that_all_differ(
    tag: int, vr: str, ordinary: str, telling: str, tmp_path: Path
) -> None:
    made = series(tmp_path, 12, unchanged, ("retain_longitudinal_full_dates",))
    for number in range(1, 13):
        text = telling if number == 10 else ordinary.format(number)
        kept(made, number, tag, vr, float(text) if vr == "FD" else text)
    problems = made.verify()
    named = {number for number, found in problems.items() if any(problem.identifier for problem in found)}
    assert named == {"10"}
    assert sets(problems) == sets(made.verify(together=False))


def test_a_value_that_stays_but_is_another_one(tmp_path: Path) -> None:
    made = series(tmp_path, 12, unchanged)
    change(made, 9, lambda ds: setattr(ds, "SliceLocation", ds.SliceLocation + 1))
    change(made, 11, lambda ds: setattr(ds, "SliceLocation", None))
    found = {number: {p.attribute for p in each} for number, each in made.verify().items() if each}
    assert found.keys() >= {"9"}
    assert found["9"] == {"SliceLocation"}
    assert sets(made.verify()) == sets(made.verify(together=False))


def test_where_comparing_many_fails_each_is_compared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = series(tmp_path, 8, unchanged)
    change(made, 7, lambda ds: setattr(ds, "StationName", "QUILLFEATHER"))

    def fails(*_: object) -> None:
        raise ValueError("Quillfeather")

    monkeypatch.setattr(Columns, "datasets", fails)
    assert {number for number, found in made.verify().items() if found} == {"7"}


def test_what_was_kept_of_an_input_counts_while_it_is_the_same_file(tmp_path: Path) -> None:
    made = series(tmp_path, 8, unchanged)
    harvester = Harvester(institutions=True, sources=source.sources())
    inputs = sorted((made.root / "in").iterdir())
    said = {path: harvester(str(path)) for path in inputs}
    assert all(said.values())
    other = next(path for path in inputs if path.name == "7.dcm")
    file, descriptor = source.sources().open(str(other))
    os.close(descriptor)
    again, descriptor = source.Sources().open(other)
    os.close(descriptor)
    assert file[:-1] == again[:-1]

    def later(ds: Dataset) -> None:
        ds.PatientName = "Somebody^Else"

    harvester(str(other))
    ds = pydicom.dcmread(other)
    later(ds)
    ds.save_as(other)
    file, descriptor = source.sources().open(str(other))
    os.close(descriptor)
    assert file.dataset.value(0x00100010) == b"Somebody^Else "


def test_what_is_kept_of_inputs_has_its_bounds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = series(tmp_path, 8, unchanged)
    monkeypatch.setattr(source, "_MOST_KEPT", 2 * source._BESIDE_VALUES)
    some = source.Sources()
    harvester = Harvester(institutions=True, sources=some)
    for path in (made.root / "in").iterdir():
        harvester(str(path))
    assert 0 < len(some._kept) <= 2
    for path in (made.root / "in").iterdir():
        os.close(some.open(str(path))[1])
    assert some._room == 2 * source._BESIDE_VALUES


class Losing(Workers):
    """A pool whose workers do not survive a batch, or one output."""

    def __init__(self, poison: str) -> None:
        super().__init__(1)
        self._poison = poison

    def run(self, make: Any, argument: Any, tasks: Sequence[Any], *_: Any, **__: Any) -> Iterator[tuple[Any, Any]]:
        do = make(argument)
        for number, checks in tasks:
            lost = any(check[0] == self._poison for check in checks)
            yield (number, checks), Lost(timed_out=False) if lost else do((number, checks))


def test_who_kills_its_worker_is_held_alone(tmp_path: Path) -> None:
    made = series(tmp_path, 6, unchanged)
    checks = [Check((made.root / "names" / path.name).read_text(), path, path.name, "") for path in made.outputs]
    checks = [check._replace(source=made.root / "in" / f"{check.instance_id}.dcm") for check in checks]
    policy = ProjectPolicy(name="Study One")
    expectation = together.expectation_of(policy, Evidence(), None)
    calls: list[int] = []
    ((_, found),) = together.inspect(
        Losing("4"), [(expectation, checks)], policy, lambda done, _total: calls.append(done)
    )
    lost = "inspecting it took too long, or too much memory"
    assert {number for number, each in found.problems.items() if lost in {p.reason for p in each}} == {"4"}
    assert len(found.problems) == 6
    assert calls == [1, 2, 3, 4, 5, 6]


def test_types_are_told_by_tag() -> None:
    modules = json.loads(shipped.read_table("iod_types"))["modules"]
    ct = iods.types_of("1.2.840.10008.5.1.4.1.1.2", 0)
    for kind, keywords in modules["general-study"][""].items():
        assert {ct.of(tag_of(keyword) or 0) for keyword in keywords.split()} <= {kind, "1"}
    assert [ct.of(tag) for tag in (0x0020000D, 0x00100010, 0x00101030, 0x60000010, 0x00090010)] == [
        "1",
        "2",
        *[None] * 3,
    ]


@pytest.mark.parametrize("edition", ["2024b", "2026d"])
def test_rows_are_those_of_the_whole_table(edition: str) -> None:
    document = json.loads(shipped.read_table(f"ps315_{edition}"))
    rows = shipped.rows_of(edition)
    for tag, _keyword, _name, vr, basic, options in document["attributes"]:
        if "x" not in tag and len(tag) == 8:
            number = int(tag, 16)
            assert rows.attribute(number) == (vr.encode() or entry(number)[0], basic, options)
    for scheme, code, kind, _meaning, basic, options in document["content"]:
        row = rows.content(scheme, code, kind)
        assert row is not None
        assert row[1:] == (basic, options)
    assert rows.attribute(0x00280010) is None
    assert rows.content("", "", "") is None


def test_types_are_those_of_the_whole_table() -> None:
    document = json.loads(shipped.read_table("iod_types"))
    for section in ("sop_classes", "iods", "modules"):
        assert {name: shipped.types_entry(section, name) for name in document[section]} == document[section]
        assert shipped.types_entry(section, "no such thing") is None
        assert shipped.types_entry(section, "source") is None


@pytest.mark.parametrize("offset", [0, 1, 14, 4095, 9742, 1 << 33])
def test_blocks_are_read_to_where_copying_is_fast(offset: int) -> None:
    buffer = _Buffer()
    start = buffer.start(offset)
    assert 0 <= start < 4096
    assert (buffer._address + start - offset) % 4096 == 2048
    assert len(buffer.data) >= start + (128 << 10)


def test_few_large_headers_are_in_memory_together(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = series(tmp_path, 9, unchanged)
    change(made, 6, lambda ds: setattr(ds, "StationName", "QUILLFEATHER"))
    numbers: list[int] = []
    whole = inspect.Inspector._all

    def watched(self: inspect.Inspector, read: list[Any]) -> list[Any]:
        numbers.append(len(read))
        return whole(self, read)

    monkeypatch.setattr(inspect.Inspector, "_all", watched)
    size = made.outputs[0].stat().st_size
    monkeypatch.setattr(inspect, "_MOST_AT_ONCE", 5 * size)
    assert {number for number, found in made.verify().items() if found} == {"6"}
    assert sum(numbers) == 9
    assert max(numbers) < 5


def test_what_all_late_outputs_lack(tmp_path: Path) -> None:
    made = series(tmp_path, 14, unchanged)
    for number in range(6, 15):
        change(made, number, lambda ds: ds.__delattr__("SliceLocation"))
    found = {number: {(p.attribute, p.reason) for p in each} for number, each in made.verify().items() if each}
    assert found == {str(number): {("SliceLocation", "is missing")} for number in range(6, 15)}


def test_pixel_data_of_odd_length_late_in_a_series(tmp_path: Path) -> None:
    made = series(tmp_path, 8, unchanged)
    data = bytearray(made.outputs[6].read_bytes())
    size = len(pydicom.dcmread(made.outputs[6]).PixelData)
    data[-size - 4 : -size] = (size - 1).to_bytes(4, "little")
    made.outputs[6].write_bytes(data[:-1])
    assert {p.reason for p in made.verify()["7"]} == {"its pixel data is cut short, or of odd length"}


def test_the_length_of_file_meta_information_late_in_a_series(tmp_path: Path) -> None:
    made = series(tmp_path, 8, unchanged)
    data = bytearray(made.outputs[6].read_bytes())
    data[140] ^= 2
    made.outputs[6].write_bytes(data)
    found = {number: {p.reason for p in each} for number, each in made.verify().items() if each}
    assert found == {"7": {"is not the length of its group"}}


@pytest.mark.parametrize("data", ["Kowa".encode("utf-16-le") + b"\1\2", b"\1\2Kowal\3", "Kowal".encode("utf-16-be")])
def test_little_text_in_bytes_is_searched_in_the_second_way_too(data: bytes) -> None:
    evidence = Evidence(names={"Kowa", "Kowal"})
    search = Search(Identifiers(Evidence()), Spelled(evidence, (), keep_dates=False), removed=True)
    assert {kind for kind, _weak in search.data(data)} == {"name"}


def test_what_stands_where_a_suffix_belongs() -> None:
    assert "quillfeather" in named("Doe^Jo^^^Quillfeather").own
    assert "jr" not in named("Doe^Jo^^^Jr").own
