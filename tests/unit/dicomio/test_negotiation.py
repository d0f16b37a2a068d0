from pathlib import Path

from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian, JPEGBaseline8Bit

from airlock.dicomio.find import FoundInstance
from airlock.dicomio.get import CLASSES_PER_ASSOCIATION
from airlock.dicomio.retrieval import plan
from airlock.dicomio.storage import is_storage_class
from airlock.dicomio.store import Outgoing, contexts_for, split
from airlock.dicomio.syntaxes import RECEIVED
from tests.studies import CT, MR


def outgoing(number: int, sop_class: str, syntax: str = ExplicitVRLittleEndian) -> Outgoing:
    return Outgoing(str(number), Path("x"), sop_class, syntax)


def test_contexts_are_built_from_what_the_files_are():
    files = [outgoing(1, CT), outgoing(2, CT), outgoing(3, MR, JPEGBaseline8Bit), outgoing(4, CT, JPEGBaseline8Bit)]
    proposed = {(str(c.abstract_syntax), *map(str, c.transfer_syntax)) for c in contexts_for(files)}
    assert proposed == {
        (CT, ExplicitVRLittleEndian),
        (CT, ImplicitVRLittleEndian),
        (CT, JPEGBaseline8Bit),
        (MR, JPEGBaseline8Bit),
    }


def test_more_than_128_contexts_need_several_associations():
    files = [outgoing(n, f"1.2.840.10008.5.1.4.1.1.{n}") for n in range(200)] * 2
    batches = list(split(files))
    assert len(batches) == 4  # 200 classes with two contexts each
    assert all(len(contexts_for(batch)) <= 128 for batch in batches)
    assert sorted(f.id for batch in batches for f in batch) == sorted(f.id for f in files)


def test_a_c_get_association_holds_every_syntax_of_its_classes():
    assert 1 + CLASSES_PER_ASSOCIATION * len(RECEIVED) <= 128


def test_what_is_missing_is_asked_for_at_the_highest_level():
    expected = {f"1.{s}.{i}": FoundInstance(f"1.{s}", f"1.{s}.{i}", CT) for s in (1, 2) for i in range(100)}

    def levels(missing, **k):
        return [request.identifier().QueryRetrieveLevel for request in plan("1", expected, missing, **k)]

    assert levels(expected) == ["STUDY"]
    assert levels([uid for uid in expected if uid.startswith("1.1.")]) == ["SERIES"]
    assert levels(set(expected) - {"1.1.0"}) == ["IMAGE", "IMAGE", "SERIES"]
    asked = [uid for r in plan("1", expected, set(expected) - {"1.1.0"}) for uid in r.sop_uids]
    assert sorted(asked) == sorted(uid for uid in expected if uid.startswith("1.1.") and uid != "1.1.0")
    assert levels(["1.2.5", "1.1.3"], singly=True) == ["IMAGE", "IMAGE"]
    assert "1.1" not in repr(next(plan("1", expected, ["1.1.3"])))


def test_storage_classes():
    for uid in (CT, MR, "1.2.840.10008.5.1.4.1.1.6", "1.2.840.10008.5.1.4.1.1.66.4", "1.2.840.10008.5.1.4.1.1.104.1"):
        assert is_storage_class(uid)
    for uid in (
        "1.2.840.10008.1.3.10",  # DICOMDIR
        "1.2.840.10008.1.20.1",  # storage commitment
        "1.2.840.10008.1.1",
        "1.2.840.10008.1.2.1",
        "1.3.12.2.1107.5.9.1",  # private
        "",
    ):
        assert not is_storage_class(uid)
