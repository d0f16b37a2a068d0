"""What files of a series have in common is judged once, what differs each time: nothing planted in either stays."""

from __future__ import annotations

import struct
from itertools import count

import pytest
from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian

from airlock.deid.stream.walk import Walk
from tests.unit.deid.stream.conftest import OPTIONS, Both
from tests.unit.deid.stream.test_equal import element, part10

Elements = dict[int, tuple[str, bytes]]
NUMBER, NAME = b"7731942", b"Quillfeather"
BINARY = struct.pack("<I", int(NUMBER)), struct.pack("<d", int(NUMBER))
PIXELS = element(0x7FE00010, "OW", bytes(16), implicit=False)


def slice_of(n: int, more: Elements | None = None, *, implicit: bool = False, pixels: bytes = PIXELS) -> bytes:
    """Return a slice whose header is that of its neighbours, but for what always differs."""
    elements: Elements = {
        0x00080016: ("UI", b"1.2.840.10008.5.1.4.1.1.2\0"),
        0x00080018: ("UI", f"1.2.276.0.77.{n}".encode()),
        0x00080030: ("TM", b"101112"),
        0x00080032: ("TM", f"1011{n:02}.{n}".encode()),
        0x00080050: ("SH", b"ACC5550199"),
        0x00100010: ("PN", b"Quillfeather^Zebedee"),
        0x00100020: ("LO", b"QF-7731942"),
        0x00180050: ("DS", b"0.75"),
        0x00181210: ("SH", b"B30f"),
        0x00189327: ("FD", struct.pack("<d", 1.5 * n)),
        0x0020000D: ("UI", b"1.2.276.0.7230010.3.1.2.100\0"),
        0x0020000E: ("UI", b"1.2.276.0.7230010.3.1.3.200\0"),
        0x00200013: ("IS", str(n).encode()),
        0x00200032: ("DS", f"-180.5\\-180.25\\{0.75 * n}".encode()),
        0x00280106: ("SS", struct.pack("<h", n)),
        **(more or {}),
    }
    encoded = [
        element(tag, vr, value + (b"\0" if vr in ("UI", "OB") else b" ") * (len(value) % 2), implicit=implicit)
        for tag, (vr, value) in sorted(elements.items())
    ]
    return part10(b"".join(encoded) + pixels, ImplicitVRLittleEndian if implicit else ExplicitVRLittleEndian)


def left_in(made: bytes) -> list[bytes]:
    """Return what an output holds of what was planted."""
    texts = [text for text in (NUMBER, NAME, b"Zebedee", b"5550199") if text in made.replace(b"\0", b"")]
    return texts + [number for number in BINARY if number in made]


@pytest.fixture
def walks(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Count how often a header is walked over, element by element."""
    numbers, found, top = count(), [], Walk.top

    def counted(*arguments: object, **keywords: object) -> object:
        found.append(next(numbers))
        return top(*arguments, **keywords)  # type: ignore[arg-type]  # handed on as they are

    monkeypatch.setattr(Walk, "top", counted)
    return found


@pytest.mark.parametrize("options", OPTIONS)
@pytest.mark.parametrize("implicit", [False, True])
@pytest.mark.parametrize("rewritten", [False, True])
def test_slices_are_walked_over_until_their_layout_is_known(
    both: Both, walks: list[int], options: tuple[str, ...], implicit: bool, rewritten: bool
) -> None:
    pixels = element(0x7FE00010, "OW", bytes(16), implicit=implicit)
    for n in range(1, 9):
        both(slice_of(n, implicit=implicit, pixels=pixels), options, streamed=True, pixels_rewritten=rewritten)
    assert len(walks) <= 3


def test_a_header_without_pixel_data_ends_where_its_file_does(both: Both, walks: list[int]) -> None:
    for n in range(1, 6):
        both(slice_of(n, pixels=b""), streamed=True)
    assert len(walks) == 2
    longer = both(slice_of(6, pixels=element(0x00324000, "LT", NAME, implicit=False)), streamed=True)[0]
    assert isinstance(longer, bytes)
    assert NAME not in longer


# Where an identifier may stand though it should not: of every VR that is judged together with others.
PLANTED: dict[str, Elements] = {
    "IS": {0x00200013: ("IS", NUMBER)},
    "IS, one of several": {0x00200013: ("IS", b"5\\" + NUMBER)},
    "IS, padded": {0x00200013: ("IS", b"+000" + NUMBER + b".0")},
    "text in IS": {0x00200013: ("IS", b"12 " + NAME)},
    "DS": {0x00200032: ("DS", b"-180.5\\" + NUMBER + b"\\0.75")},
    "text in DS": {0x00200032: ("DS", NAME)},
    "accession in DS": {0x00180050: ("DS", b"5550199.00")},
    "TM": {0x00080032: ("TM", NUMBER)},
    "text in TM": {0x00080032: ("TM", b"101112 " + NAME)},
    "UI": {0x00081155: ("UI", b"1.2." + NUMBER + b".5")},
    "text in UI": {0x00081155: ("UI", NAME)},
    "SOPInstanceUID": {0x00080018: ("UI", b"1.2.276.0.7230010.3.1.2.100")},
    "AT": {0x00280009: ("AT", NAME)},
    "FD": {0x00189327: ("FD", NAME + bytes(4))},
    "FD, in 16-bit characters": {0x00189327: ("FD", NAME.decode().encode("utf-16-le"))},
    "number in FD": {0x00189327: ("FD", NUMBER + b"\0")},
    "binary number in FD": {0x00189327: ("FD", struct.pack("<dd", 1.5, 7731942))},
    "binary number in UL": {0x00280106: ("UL", struct.pack("<I", 7731942))},
    "SS": {0x00280106: ("SS", NAME)},
    "SH": {0x00181210: ("SH", b"B30f Zebedee")},
    "an attribute that others lack": {0x00181030: ("LO", b"Thorax Zebedee")},
}


@pytest.mark.parametrize("planted", PLANTED.values(), ids=PLANTED)
@pytest.mark.parametrize("options", OPTIONS[:2])
def test_what_is_planted_in_the_slice_that_differs(both: Both, options: tuple[str, ...], planted: Elements) -> None:
    for n in range(1, 5):
        both(slice_of(n), options, streamed=True)
    for n in (5, 6):
        made = both(slice_of(n, planted), options)[0]
        assert isinstance(made, bytes)
        assert not left_in(made)
    both(slice_of(7), options, streamed=True)


@pytest.mark.parametrize("planted", PLANTED.values(), ids=PLANTED)
def test_what_is_planted_in_what_all_have_in_common(both: Both, planted: Elements) -> None:
    if 0x00080018 in planted:
        pytest.skip("instances have UIDs of their own")
    for n in range(1, 6):
        made = both(slice_of(n, planted))[0]
        assert isinstance(made, bytes)
        assert not left_in(made)


def test_series_in_turns_each_have_their_layout(both: Both, walks: list[int]) -> None:
    for n in range(1, 13):
        more: Elements = {0x0020000E: ("UI", b"1.2.276.7"), 0x00181030: ("LO", b"Zebedee b")} if n % 2 else {}
        both(slice_of(n, more), streamed=True)
    assert len(walks) <= 6


def test_a_series_that_another_one_follows(both: Both, walks: list[int]) -> None:
    for n in range(1, 9):
        name = b"Quillfeather" if n < 5 else b"Quillfeather^Z"
        more: Elements = {0x0020000E: ("UI", b"1.2.276." + (b"7" if n < 5 else b"8")), 0x00100010: ("PN", name)}
        both(slice_of(n, more), streamed=True)
    assert len(walks) <= 4


@pytest.mark.parametrize("cut", [1, 5, 9, 40, 100])
def test_a_file_that_is_cut_short_is_not_taken_for_whole(both: Both, cut: int) -> None:
    for n in range(1, 5):
        both(slice_of(n, pixels=b""), streamed=True)
    both(slice_of(5, pixels=b"")[:-cut])


def test_lengths_that_lead_out_of_the_file(both: Both) -> None:
    for n in range(1, 5):
        both(slice_of(n), streamed=True)
    content = slice_of(5)
    place = content.index(b"\x20\0\x13\0IS") + 6
    for length in (0xFFFF, 300, 7):
        both(content[:place] + struct.pack("<H", length) + content[place + 2 :])


def test_a_sequence_of_undefined_length_that_differs(both: Both, walks: list[int]) -> None:
    for n in range(1, 6):
        uid = element(0x00081155, "UI", f"1.2.276.9.{n:02}".encode(), implicit=False)
        body = b"\xfe\xff\x00\xe0\xff\xff\xff\xff" + uid + b"\xfe\xff\x0d\xe0\0\0\0\0\xfe\xff\xdd\xe0\0\0\0\0"
        sequence = element(0x00081140, "SQ", body, implicit=False, length=0xFFFFFFFF)
        content = slice_of(n).replace(element(0x00100010, "PN", b"Quillfeather^Zebedee", implicit=False), b"")
        place = content.index(b"\x10\0\x20\0LO")
        made = both(content[:place] + sequence + content[place:], streamed=True)[0]
        assert isinstance(made, bytes)
        assert f"1.2.276.9.{n:02}".encode() not in made
    assert len(walks) == 2
