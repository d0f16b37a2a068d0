"""Every kind of pixels: rewritten with a box, and compared outside of it value by value with what peers read."""

from __future__ import annotations

import io
import subprocess
from dataclasses import replace

import numpy as np
import pytest
import requests
from PIL import Image
from pydicom import dcmread
from pydicom.encaps import encapsulate, generate_frames, get_frame, parse_basic_offsets
from pydicom.uid import UID

from airlock.errors import InstanceNotUnderstood
from airlock.pixels.rewrite import rewrite_file
from demo.services import free_port
from tests.pacs import orthanc
from tests.peers import require
from tests.pixel_kinds import COLUMNS, FRAMES, LOSSLESS, LOSSY, ROWS, Kind, native
from tests.pixel_peers import read_by_peer

BOX = (8, 6, 30, 20)
MASKED = np.s_[1, 4:22, 6:32]
"""What of the second frame is masked: the box and its margin of two pixels."""


CLOSED = {
    "dcmtk": ("segmented", "encapsulated", "JPEG 2000"),
    "gdcm": ("palette of 8 bits in words", "segmented palette", "encapsulated"),
    "Orthanc": ("32 bits", "1 bit", "RGB of 16 bits", "alette", "PARTIAL", "JPEG 2000", "encapsulated"),
}
"""Kinds that Debian's version of a peer opens neither before nor after."""
OPEN_ALL_THE_SAME = {"gdcm": {"segmented palette of 16 bits"}, "Orthanc": {"YBR_ICT, JPEG 2000"}}
UNKNOWN_TO_DCIODVFY = ("HTJ2K", "deflated")


@pytest.fixture(autouse=True)
def peers():
    require("dcmcjpeg", "dcmdjpeg", "dcmcjpls", "dcmdjpls", "dcmdrle", "gdcmconv")


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Write and rewrite each kind once: `made(kind)` returns both files."""
    files = {}

    def make(kind: Kind):
        if kind.name not in files:
            folder = tmp_path_factory.mktemp("kind")
            source = kind.write(folder / "in")
            target, frames = rewrite_file(source, folder / "out", {1: [BOX]})
            assert frames == FRAMES
            files[kind.name] = source, target
        return files[kind.name]

    return make


def opens(peer: str, kind: Kind) -> bool:
    return kind.name in OPEN_ALL_THE_SAME.get(peer, ()) or not any(word in kind.name for word in CLOSED[peer])


def outside() -> np.ndarray:
    kept = np.ones((FRAMES, ROWS, COLUMNS), bool)
    kept[MASKED] = False
    return kept


@pytest.mark.parametrize("kind", LOSSLESS, ids=lambda kind: kind.name)
def test_only_the_box_changes(tmp_path, made, kind):
    source, target = made(kind)
    after = read_by_peer(target, tmp_path)
    assert (after[outside()] == kind.values[outside()]).all()
    black = kind.black or (darkest(kind.values[1], kind),)
    assert np.unique(after[MASKED].reshape(-1, len(black)), axis=0).tolist() == [list(map(int, black))]
    check_coding(kind, source, target)


@pytest.mark.parametrize("kind", LOSSY, ids=lambda kind: kind.name)
def test_what_was_lossy_loses_no_more(tmp_path, made, kind):
    source, target = made(kind)
    after = read_by_peer(target, tmp_path)
    if "HTJ2K" in kind.name:  # there is no peer for it: the loss is known
        assert np.abs(after.astype(int) - kind.values)[outside() & (np.arange(FRAMES) == 0)[:, None, None]].max() <= 3
    else:
        assert (after[outside()] == read_by_peer(source, tmp_path)[outside()]).all()
    black = kind.black or (darkest(read_by_peer(source, tmp_path)[1], kind),)
    assert np.unique(after[MASKED].reshape(-1, len(black)), axis=0).tolist() == [list(map(int, black))]
    check_coding(kind, source, target)
    told = [dcmread(path, stop_before_pixels=True).get("LossyImageCompression") for path in (source, target)]
    assert told[1] == ("01" if told[0] or not kind.kept else None)


def darkest(values: np.ndarray, kind: Kind) -> int:
    return int(values.max() if kind.photometric == "MONOCHROME1" else values.min())


def check_coding(kind: Kind, source, target) -> None:
    before, after = dcmread(source), dcmread(target)
    if not kind.kept:
        assert not UID(after.file_meta.TransferSyntaxUID).is_compressed
        return
    assert after.file_meta.TransferSyntaxUID == before.file_meta.TransferSyntaxUID
    old, new = (list(generate_frames(ds.PixelData, number_of_frames=FRAMES)) for ds in (before, after))
    assert [a.rstrip(b"\0") == b.rstrip(b"\0") for a, b in zip(old, new, strict=True)] == [True, False, True]


@pytest.mark.parametrize("kind", [*LOSSLESS, *LOSSY], ids=lambda kind: kind.name)
def test_dcmtk_and_gdcm_open_it_and_it_is_as_valid_as_before(tmp_path, made, kind):
    require("dcmj2pnm", "dcml2pnm", "gdcmconv", "dciodvfy")
    source, target = made(kind)
    viewer = "dcml2pnm" if "JPEG-LS" in kind.name else "dcmj2pnm"
    if opens("dcmtk", kind):
        run([viewer, "+F", "2", target, tmp_path / "frame.pnm"])
        assert (tmp_path / "frame.pnm").stat().st_size > ROWS * COLUMNS
    if opens("gdcm", kind):
        run(["gdcmconv", "--raw", target, tmp_path / "raw.dcm"])
    if any(word in kind.name for word in UNKNOWN_TO_DCIODVFY):
        source = replace(kind, store=native).write(tmp_path / "native")
    assert errors_of(target) <= errors_of(source)


def run(command: list) -> None:
    subprocess.run([*map(str, command)], check=True, capture_output=True, timeout=30)


def errors_of(path) -> set[str]:
    told = subprocess.run(["dciodvfy", "-new", str(path)], check=False, capture_output=True, text=True, timeout=30)
    return {line for line in (told.stdout + told.stderr).splitlines() if line.startswith("Error")}


def test_orthanc_shows_them(tmp_path, made):
    require("Orthanc")
    http_port = free_port()
    with orthanc(tmp_path, http_port=http_port), requests.Session() as session:
        session.trust_env = False
        for kind in [*LOSSLESS, *LOSSY]:
            if not opens("Orthanc", kind):
                continue
            base, content = f"http://127.0.0.1:{http_port}/instances", made(kind)[1].read_bytes()
            instance = session.post(base, data=content, timeout=10).json()["ID"]
            shown = session.get(f"{base}/{instance}/frames/1/preview", timeout=10)
            assert shown.status_code == 200, kind.name
            picture = np.asarray(Image.open(io.BytesIO(shown.content)))
            assert picture.shape[:2] == (ROWS, COLUMNS)
            assert (picture[MASKED[1:]] == picture[10, 10]).all(), kind.name
            session.delete(f"{base}/{instance}", timeout=10)


def damaged(folder, what: str):
    """A file of a kind that is understood, in which something is not."""
    extended = next(kind for kind in LOSSY if kind.name == "12 bits, JPEG Extended")
    pieces = next(kind for kind in LOSSLESS if kind.name == "JPEG-LS, offset table: fragments without table")
    kind = pieces if what == "a picture too many" else extended
    path = kind.write(folder / "in")
    ds = dcmread(path)
    frames = list(generate_frames(ds.PixelData, number_of_frames=FRAMES))
    match what:
        case "cut off":
            frames[1] = frames[1][: len(frames[1]) // 2 // 2 * 2]
        case "other size":
            ds.Rows += 1
        case "other precision":
            ds.BitsStored, ds.HighBit = 10, 9
        case "signed":
            ds.PixelRepresentation = 1
        case "colours":
            ds.SamplesPerPixel, ds.PhotometricInterpretation, ds.PlanarConfiguration = 3, "YBR_FULL", 0
        case "a picture too many":
            ds.NumberOfFrames = FRAMES - 1
        case "YBR_PARTIAL_420":
            ds.PhotometricInterpretation = what
        case "JPEG XL":
            ds.file_meta.TransferSyntaxUID = "1.2.840.10008.1.2.4.110"
    if what != "a picture too many":
        ds.PixelData = encapsulate(frames)
        ds["PixelData"].is_undefined_length = True
    ds.save_as(path)
    return path


@pytest.mark.parametrize(
    ("what", "reason"),
    [
        ("cut off", "cut off"),
        ("other size", "not the one that its header says"),
        ("other precision", "not the one that its header says"),
        ("signed", "signed"),
        ("colours", "colours of more than 8 bits"),
        ("a picture too many", "which fragments"),
        ("YBR_PARTIAL_420", "compressed YBR_PARTIAL_420"),
        ("JPEG XL", "transfer syntax"),
    ],
)
def test_what_is_not_certain_is_held(tmp_path, what, reason):
    with pytest.raises(InstanceNotUnderstood, match=reason):
        rewrite_file(damaged(tmp_path, what), tmp_path / "out", {1: [BOX]})
    assert not [path for path in (tmp_path / "out").rglob("*") if path.is_file()]


@pytest.mark.parametrize("kind", ["float", "double"])
def test_text_in_float_pixels_is_held(tmp_path, kind):
    path = LOSSLESS[0].write(tmp_path / "in")
    ds = dcmread(path)
    values, keyword = (np.float32, "FloatPixelData") if kind == "float" else (np.float64, "DoubleFloatPixelData")
    setattr(ds, keyword, np.zeros((FRAMES, ROWS, COLUMNS), values).tobytes())
    ds.BitsAllocated = values().itemsize * 8
    del ds.PixelData
    ds.save_as(path)
    with pytest.raises(InstanceNotUnderstood, match="no pixels of a kind that can be masked"):
        rewrite_file(path, tmp_path / "out", {1: [BOX]})


def test_tables_of_frames_are_those_of_the_new_frames(made):
    """A frame that is found by its table is the frame."""
    for table in ("basic", "extended", "none"):
        _, target = made(next(kind for kind in LOSSLESS if kind.name == f"JPEG-LS, offset table: {table}"))
        ds = dcmread(target)
        assert ("ExtendedOffsetTable" in ds) == (table == "extended")
        basic = parse_basic_offsets(ds.PixelData, endianness="<")
        assert bool(basic) == (table == "basic")
        whole = list(generate_frames(ds.PixelData, number_of_frames=FRAMES))
        if table == "basic":
            start = 8 + 4 * FRAMES
            sizes = [int.from_bytes(ds.PixelData[start + at + 4 : start + at + 8], "little") for at in basic]
            found = [ds.PixelData[start + at + 8 :][:size] for at, size in zip(basic, sizes, strict=True)]
        else:
            extended = (ds.ExtendedOffsetTable, ds.ExtendedOffsetTableLengths) if table == "extended" else None
            found = [
                get_frame(ds.PixelData, n, number_of_frames=FRAMES, extended_offsets=extended) for n in range(FRAMES)
            ]
        assert found == whole
