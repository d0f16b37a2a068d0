from __future__ import annotations

import pytest
from pydicom import Dataset

from airlock.findings import Found
from airlock.pixels.engine import Reading
from airlock.pixels.judge import Judge, is_anatomy, merge
from airlock.pixels.words import known_words

LINE = (10, 10, 200, 30)
FAR = (10, 300, 20, 310)
SIDE = 400


def masked(judge: Judge, *given: tuple) -> list:
    boxes, readings = [box for box, _ in given], [reading for _, reading in given]
    return [verdict.box for verdict in judge.judge(boxes, readings, SIDE)]


def header() -> Dataset:
    ds = Dataset()
    ds.PatientName, ds.PatientID, ds.PatientBirthDate = "Sørlie^Åse", "77-1234", "19610312"
    return ds


def test_text_is_masked_from_the_confidence_on():
    judge = Judge(confidence=50)
    assert masked(judge, (LINE, Reading("Gain 60", 50.0))) == [LINE]
    assert masked(judge, (LINE, Reading("Gain 60", 49.9))) == []


def test_known_identifiers_are_masked_at_any_confidence():
    judge = Judge(confidence=100, known=known_words(header()))
    for text in ("SORLIE", "S0RLIE, Ase", "12.03.1961", "12 MAR 1961", "Mar 12, 1961", "1961-03-12", "771234"):
        assert masked(judge, (LINE, Reading(text, 3.0))) == [LINE], text
    assert masked(judge, (LINE, Reading("Depth 11cm", 3.0))) == []


def test_known_words_are_plain_and_not_too_short():
    words = known_words(header())
    assert {"SORLIE", "ASE", "771234", "12031961", "03121961"} <= words
    assert all(len(word) >= 3 for word in words)


def test_orientation_letters_are_left_alone_and_masked_beside_text():
    letter = Reading("L", 99.0)
    beside = (205, 12, 215, 28)
    assert masked(Judge(), (FAR, letter)) == []
    assert masked(Judge(), (LINE, Reading("Brekke", 99.0)), (beside, letter)) == [LINE, beside]


def test_an_orientation_letter_that_was_guessed_is_masked():
    assert masked(Judge(), (FAR, Reading("L", 80.0))) == [FAR]


@pytest.mark.parametrize("reading", [Reading("", 0.0), Reading("8", 50.0), Reading("●", 90.0)])
def test_one_uncertain_character_is_anatomy(reading):
    assert masked(Judge(), (FAR, reading)) == []


def test_one_huge_character_is_anatomy():
    assert masked(Judge(), ((50, 50, 200, 200), Reading("O", 75.0))) == []


def test_readings_are_not_shown():
    assert "SORLIE" not in repr(Judge(known=known_words(header())))


def found(box: tuple, confidence: float = 50, known: bool = False) -> Found:
    return Found(0, box, "ocr", confidence, known)


def test_merge_drops_what_lies_inside_another_and_keeps_what_it_says():
    merged = merge([found((5, 5, 10, 10), 90, known=True), found((0, 0, 20, 20)), found((15, 15, 30, 30))])
    assert merged == [found((0, 0, 20, 20), 90, known=True), found((15, 15, 30, 30))]


def test_verdicts_say_what_matches_an_identifier():
    judge = Judge(known=known_words(header()))
    [name, gain] = judge.judge([LINE, FAR], [Reading("SORLIE", 40.0), Reading("Gain 6", 90.0)], SIDE)
    assert (name.matches_identifier, gain.matches_identifier) == (True, False)


def test_the_project_says_which_words_are_safe():
    judge = Judge(safe_words=frozenset({"SUPINE"}))
    assert masked(judge, (FAR, Reading("Supine", 99.0))) == []
    assert masked(judge, (FAR, Reading("PATIENT", 99.0))) == [FAR]
    assert masked(Judge(safe_words=frozenset({"SORLIE"}), known=frozenset({"SORLIE"})), (FAR, Reading("SORLIE", 99.0)))


def test_large_letters_must_be_read_surely():
    large = (50, 50, 300, 90)
    assert masked(Judge(), (large, Reading("LLLI", 50.0))) == []
    assert masked(Judge(), (large, Reading("HANSEN", 70.0))) == [large]
    giant = (50, 50, 300, 150)
    assert masked(Judge(), (giant, Reading("CO", 85.0))) == []
    assert masked(Judge(), (giant, Reading("CO", 95.0))) == [giant]


CYST = (229, 45, 406, 328)
"""Of an ultrasound sector and the cyst below its tip, in a picture that is enlarged twice."""


@pytest.mark.parametrize(
    ("text", "box", "count"), [("10", CYST, 0), ("1 0", CYST, 0), ("100", CYST, 1), ("10", LINE, 1)]
)
def test_giant_letters_count_where_the_picture_shows_such(text, box, count):
    reading = Reading(text, 96.0)
    assert len(Judge().judge([box], [reading], 480, tallest=96)) == count
    assert len(Judge().judge([box], [reading], 480)) == 1


def test_a_known_identifier_is_masked_however_large_its_letters_are():
    known = Judge(known=frozenset({"AB1"}))
    assert len(known.judge([CYST], [Reading("AB1", 3.0)], 480, tallest=96)) == 1


@pytest.mark.parametrize(
    ("box", "doubled", "like", "anatomy"),
    [
        pytest.param((0, 0, 60, 50), 40, 0.1, True, id="large, square, hardly any strokes of letters"),
        pytest.param((0, 0, 60, 50), 40, 0.4, False, id="full of strokes of letters"),
        pytest.param((0, 0, 60, 50), 50, 0.1, False, id="letters that only this picture shows"),
        pytest.param((0, 0, 110, 50), 40, 0.1, False, id="long enough for a line"),
        pytest.param((0, 0, 50, 110), 40, 0.1, False, id="long enough for a line that runs up"),
        pytest.param((0, 0, 180, 150), 1000, 1.0, True, id="letters larger than a third of the picture"),
        pytest.param((0, 0, 300, 150), 1000, 1.0, False, id="a giant line"),
    ],
)
def test_what_no_line_can_be_is_not_read(box, doubled, like, anatomy):
    assert is_anatomy(box, SIDE, doubled, like) is anatomy


@pytest.mark.parametrize(
    ("text", "confidence", "kept"),
    [("OSTERHAUG", 60.0, True), ("OSTERHAUG", 59.0, False), ("10", 90.0, False), ("SORLIE", 5.0, True)],
)
def test_what_the_network_hardly_sees_must_be_a_word(text, confidence, kept):
    judge = Judge(known=known_words(header()))
    verdicts = judge.judge([LINE], [Reading(text, confidence)], SIDE, weak=frozenset([LINE]))
    assert bool(verdicts) is kept
    assert judge.judge([LINE], [Reading("OSTERHAUG", 30.0)], SIDE)


def test_what_continues_a_line_that_was_read_is_masked_unread():
    rest, weak, far = (220, 12, 260, 29), (20, 33, 60, 48), (20, 100, 60, 115)
    boxes = [LINE, rest, weak, far]
    readings = [Reading("OSTERHAUG", 80.0), Reading("", 0.0), Reading("8", 12.0), Reading("8", 12.0)]
    verdicts = Judge().judge(boxes, readings, SIDE, weak=frozenset([weak, far]))
    assert [verdict.box for verdict in verdicts] == [LINE, rest, weak]
    assert not Judge().judge(boxes[1:], readings[1:], SIDE, weak=frozenset([weak, far]))


@pytest.mark.parametrize(
    ("line", "reading"),
    [
        pytest.param((10, 10, 200, 40), Reading("OSTERHAUG", 95.0), id="large letters"),
        pytest.param(LINE, Reading("OSTERHAUG", 59.0), id="doubtful"),
        pytest.param(LINE, Reading("OS", 95.0), id="no word"),
    ],
)
def test_what_may_be_anatomy_is_continued_by_nothing(line, reading):
    assert masked(Judge(), (line, reading), ((220, 12, 260, 29), Reading("", 0.0))) == [line]


@pytest.mark.parametrize(("text", "kept"), [("Pe", 1), ("#10", 1), ("0.", 0), ("8", 0), ("电?", 0)])
def test_where_noise_looks_like_a_letter_there_must_be_two(text, kept):
    assert len(Judge().judge([(10, 10, 18, 18)], [Reading(text, 90.0)], SIDE, letters=2)) == kept
    assert len(Judge().judge([(10, 10, 18, 18)], [Reading(text, 90.0)], SIDE)) == 1


@pytest.mark.parametrize(
    ("text", "confidence", "count"),
    [
        ("----", 95.0, 0),
        ("......!", 65.0, 0),
        ("00000", 72.0, 0),
        ("1 1 1", 79.9, 0),
        ("00000", 80.0, 1),
        ("MRN", 21.0, 1),
    ],
)
def test_strokes_of_one_kind_are_a_pattern(text: str, confidence: float, count: int):
    assert len(masked(Judge(), (LINE, Reading(text, confidence)))) == count


def test_a_pattern_beside_a_line_is_its_rest():
    rest = (210, 10, 260, 30)
    assert masked(Judge(), (LINE, Reading("Brekke", 99.0)), (rest, Reading("----", 60.0))) == [LINE, rest]


@pytest.mark.parametrize(("confidence", "count"), [(79.9, 0), (80.0, 1)])
def test_letters_that_an_enlarged_part_does_not_show_must_be_read_clearly(confidence: float, count: int):
    large = [(10, 10, 300, 110)], [Reading("138", confidence)]
    assert len(Judge().judge(*large, 2000, tallest=96)) == count
    assert len(Judge().judge(*large, 2000)) == 1


def test_what_is_certain_is_masked_unread():
    boxes, unread = [LINE, FAR], [Reading("", 0.0), Reading("", 0.0)]
    verdicts = Judge().judge(boxes, unread, SIDE, letters=2, certain=frozenset([LINE]))
    assert [verdict.box for verdict in verdicts] == [LINE]


def test_a_safe_word_is_left_however_certain_its_box_is():
    assert not Judge().judge([FAR], [Reading("PATIENT", 99.0)], SIDE, certain=frozenset([FAR]))
