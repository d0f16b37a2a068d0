"""Review records: what nobody has released does not start."""

from __future__ import annotations

import pytest

from airlock.errors import NotApproved, PolicyError
from airlock.intake.reviewed import check_reviewed
from airlock.request.model import validate_request

HEAD = "study_instance_uid,accession_number,user,has_phi,has_reconstruction,relevant,exclude,comment"
RELEASED = "1.2.3,,ann,False,False,True,,fine"


def request(**more):
    named = {} if "accession_number" in more.get("source", {}) else {"study_instance_uid": "1.2.3"}
    return validate_request({"transfer_project_name": "P", "transfer_name": "S"} | named | more)


def check(tmp_path, *rows, head=HEAD, **more):
    path = tmp_path / "reviews.csv"
    path.write_text("\n".join([head, *rows]))
    check_reviewed(path, request(**more))


@pytest.mark.parametrize(
    "rows",
    [
        [RELEASED],
        [RELEASED, "1.2.3,,bob,no,0,yes,false,"],
        [RELEASED, "1.2.33,,bob,true,,,,"],
        ["1.2.3,,ann,false,,true,,"],
    ],
)
def test_what_all_released_starts(tmp_path, rows):
    check(tmp_path, *rows)


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        ([], "Nobody has reviewed"),
        (["1.2.33,,ann,false,false,true,,"], "Nobody has reviewed"),
        (["1.2.3,,ann,,false,true,,"], "Nobody has reviewed"),
        ([RELEASED, "1.2.3,,bob,,,true,,"], "Nobody has reviewed"),
        ([RELEASED, "1.2.3,,bob,true,,true,,"], r"disagree \(has_phi\)"),
        ([RELEASED, "1.2.3,,bob,false,,false,,"], r"disagree \(relevant\)"),
        (["1.2.3,,ann,true,,true,,"], r"not release it \(has_phi\)"),
        (["1.2.3,,ann,false,,,,"], r"not release it \(relevant\)"),
        (["1.2.3,,ann,false,true,true,true,"], r"not release it \(exclude, has_reconstruction\)"),
    ],
)
def test_missing_unfinished_and_conflicting_reviews_start_nothing(tmp_path, rows, words):
    with pytest.raises(NotApproved, match=words):
        check(tmp_path, *rows)


def test_by_accession_number_and_for_several_studies(tmp_path):
    pacs = {"source": {"method": "c-move", "accession_number": "A1"}}
    check(tmp_path, ",A1,ann,false,,true,,", **pacs)
    with pytest.raises(NotApproved):
        check(tmp_path, ",,ann,false,,true,,", **pacs)
    several = {"source": {"method": "raw", "studies": ["1.2.3", "1.2.4"]}}
    with pytest.raises(NotApproved, match="Nobody has reviewed"):
        check(tmp_path, RELEASED, **several)
    check(tmp_path, RELEASED, "1.2.4,,ann,false,,true,,", **several)


def test_no_such_list(tmp_path):
    with pytest.raises(PolicyError, match="no column has_phi"):
        check(tmp_path, head="study_instance_uid,user,relevant")
    with pytest.raises(PolicyError, match=r"reviews\.csv:2: relevant is neither") as told:
        check(tmp_path, "1.2.3,,ann,false,,SECRET,,")
    assert "SECRET" not in str(told.value)
    with pytest.raises(PolicyError):
        check_reviewed(tmp_path / "none.csv", request())
