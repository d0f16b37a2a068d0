"""Every kind of pixels: rewritten with a box, and compared outside of it value by value with what peers read."""

from __future__ import annotations

import numpy as np
import pytest
from pydicom import dcmread
from pydicom.encaps import generate_frames
from pydicom.uid import UID

from airlock.pixels.rewrite import rewrite_file
from tests.peers import require
from tests.pixel_kinds import COLUMNS, FRAMES, LOSSLESS, LOSSY, ROWS, Kind
from tests.pixel_peers import read_by_peer

BOX = (8, 6, 30, 20)
MASKED = np.s_[1, 4:22, 6:32]
"""What of the second frame is masked: the box and its margin of two pixels."""


@pytest.fixture(autouse=True)
def peers():
    require("dcmcjpeg", "dcmdjpeg", "dcmcjpls", "dcmdjpls", "dcmdrle", "gdcmconv")


def outside() -> np.ndarray:
    kept = np.ones((FRAMES, ROWS, COLUMNS), bool)
    kept[MASKED] = False
    return kept


def rewritten(kind: Kind, folder):
    source = kind.write(folder / "in")
    target, frames = rewrite_file(source, folder / "out", {1: [BOX]})
    assert frames == FRAMES
    return source, target


@pytest.mark.parametrize("kind", LOSSLESS, ids=lambda kind: kind.name)
def test_only_the_box_changes(tmp_path, kind):
    source, target = rewritten(kind, tmp_path)
    after = read_by_peer(target, tmp_path)
    assert (after[outside()] == kind.values[outside()]).all()
    black = kind.black or (darkest(kind.values[1], kind),)
    assert np.unique(after[MASKED].reshape(-1, len(black)), axis=0).tolist() == [list(map(int, black))]
    check_coding(kind, source, target)


@pytest.mark.parametrize("kind", LOSSY, ids=lambda kind: kind.name)
def test_what_was_lossy_loses_no_more(tmp_path, kind):
    source, target = rewritten(kind, tmp_path)
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
