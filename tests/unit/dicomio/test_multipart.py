"""multipart/related is read the same however it is cut into chunks."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airlock.dicomio.multipart import FilesBody, Malformed, boundary_of, read_parts


def read(body, size, boundary=b"B"):
    chunks = (body[i : i + size] for i in range(0, len(body), size))
    return [b"".join(part) for part in read_parts(chunks, boundary)]


def write(parts, boundary=b"B"):
    body = b"".join(b"\r\n--" + boundary + b"\r\nContent-Type: application/dicom\r\n\r\n" + p for p in parts)
    return body + b"\r\n--" + boundary + b"--\r\n"


@given(st.lists(st.binary(max_size=200).filter(lambda b: b"\r\n--B" not in b), max_size=4), st.integers(1, 40))
def test_however_it_is_cut(parts, size):
    assert read(write(parts), size) == parts


def test_what_looks_like_a_boundary():
    parts = [b"\r\n--\r\n-", b"--A--", b"\r\n\r\n--", b"\r\n-"]
    for size in (1, 2, 3, 7, 1000):
        assert read(write(parts), size) == parts


def test_without_a_line_end_at_the_start_and_with_a_preamble():
    body = write([b"one", b"two"])
    assert read(body[2:], 5) == [b"one", b"two"]
    assert read(b"to be ignored" + body, 5) == [b"one", b"two"]


def test_a_part_that_is_not_read_is_skipped():
    assert [next(part) for part in read_parts(iter([write([b"x" * 50, b"y"])]), b"B")] == [b"x" * 50, b"y"]


@pytest.mark.parametrize("cut", [1, 10, 45, 60])
def test_an_answer_that_ends_early(cut):
    body = write([b"x" * 30])
    with pytest.raises(Malformed):
        read(body[: -min(cut, len(body) - 1)].removesuffix(b"\r").removesuffix(b"--"), 8)


def test_headers_without_end():
    with pytest.raises(Malformed, match="no end"):
        read(b"\r\n--B\r\n" + b"h" * 100_000, 4096)


def test_boundaries():
    assert boundary_of('multipart/related; type="application/dicom"; boundary=abc') == b"abc"
    assert boundary_of('Multipart/Related; BOUNDARY="a b=c"; type=x') == b"a b=c"
    for wrong in ("", "application/json", "multipart/related; type=x"):
        with pytest.raises(Malformed):
            boundary_of(wrong)


def test_a_body_of_files_knows_its_length(tmp_path):
    (tmp_path / "a").write_bytes(b"a" * 300_000)
    (tmp_path / "b").write_bytes(b"")
    body = FilesBody([tmp_path / "a", tmp_path / "b"], "B")
    content = b"".join(body)
    assert len(content) == len(body)
    assert read(content, 1 << 12) == [b"a" * 300_000, b""]
