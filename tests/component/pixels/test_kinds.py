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
from pydicom.encaps import generate_frames
from pydicom.uid import UID

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
