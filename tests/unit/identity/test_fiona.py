"""FIONA's rules. The digests were made with sha256sum."""

import pytest

from airlock.identity.fiona import ROOT, fiona_number, fiona_study_id, fiona_uid, is_legal_uid
from airlock.identity.keys import KeyRing
from airlock.identity.uids import UidMap

# original, project, SHA-256 of the original (padded to even length with NUL) and the project
VECTORS = [
    ("1.2.3.4.5", "PROJ", "79768db150dfa86a790f5cff4f2e3707f016fb94fcb56a71179de203aa9ae03c"),
    ("1.2.3.4.56", "PROJ", "fa9376d8df3b22919902e8cba0de3243f27eb40405d1db25c64be4c150d257be"),
    ("1.2.840.113619.2.55", "QC - NH Phantom", "2c43f690bc3a4e8f5e752e04142b47c7bab86b25281ec6966071149b25ff56e3"),
]


@pytest.mark.parametrize(("original", "project", "digest"), VECTORS)
def test_uids(original, project, digest):
    assert fiona_uid(original, project, hexadecimal=True) == ROOT + digest[:45]
    digits = digest.translate(str.maketrans("abcdef", "012345"))
    assert fiona_uid(original, project) == ROOT + digits[:45]
    assert fiona_study_id(original, project) == digits[:16]


def test_one_written_out():
    assert fiona_uid("1.2.3.4.5", "PROJ") == "1.3.6.1.4.1.45037.797683115035086079055255452437075016519452156"


def test_numbers():
    assert fiona_number("ACC12345") == "1150646018409075"
    assert fiona_number("ACC1234", hexadecimal=True) == "db48e94085b9597a"


def test_what_is_legal():
    assert is_legal_uid("1.2.0.3")
    for uid in ("1.02", "1.", "1", "", "1.a", "1." + "2" * 63, "1.2\n"):
        assert not is_legal_uid(uid)
    made = [fiona_uid(f"1.2.3.{n}", "P") for n in range(800)]
    assert 60 < sum(not is_legal_uid(uid) for uid in made) < 140, "about one of eight begins with 0"
    assert not is_legal_uid(fiona_uid("1.2.3", "P", hexadecimal=True))


def test_in_a_map():
    keys = KeyRing(b"k" * 32)
    originals = [f"1.2.3.{n}" for n in range(100)]
    kept = UidMap(keys, "P", rule="fiona", keep_illegal=True)
    strict = UidMap(keys, "P", {"1.2.3.5": "1.9"}, rule="fiona")
    keyed = UidMap(keys, "P")
    for original in originals:
        legal = is_legal_uid(fiona_uid(original, "P"))
        assert kept(original) == kept(original + "\0") == fiona_uid(original, "P")
        if original != "1.2.3.5":
            assert strict(original) == (fiona_uid if legal else lambda uid, _: keyed(uid))(original, "P")
    assert strict("1.2.3.5") == "1.9"
