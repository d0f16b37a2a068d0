"""What the receiver takes, against the whole dictionary of UIDs."""

from pydicom._uid_dict import UID_dictionary

from airlock.dicomio.storage import is_storage_class
from airlock.dicomio.syntaxes import RECEIVED, VERIFICATION
from airlock.dicomio.wire import pdu
from airlock.dicomio.wire.acceptor import Admission
from airlock.dicomio.wire.items import Answer, Proposal

EXPLICIT, IMPLICIT, CT = "1.2.840.10008.1.2.1", "1.2.840.10008.1.2", "1.2.840.10008.5.1.4.1.1.2"
ADMISSION = Admission("AIRLOCK")


def accepts(uid, *syntaxes, admission=ADMISSION):
    answer = admission.answer(Proposal(uid, syntaxes or (IMPLICIT,)))
    return answer.transfer_syntax if answer.result == 0 else None


def test_every_storage_class_of_the_dictionary_and_no_other_service():
    for uid, (name, kind, *_) in UID_dictionary.items():
        if kind == "SOP Class":
            assert bool(accepts(uid)) == (is_storage_class(uid) or uid == VERIFICATION), (uid, name)


def test_newer_and_private_ones():
    assert accepts("1.2.840.10008.5.1.4.1.1.9999.1")
    assert accepts("1.3.12.2.1107.5.9.1")
    assert not accepts("1.3.12.2.1107.5.9.1", admission=Admission("A", private_classes=False))


def test_transfer_syntaxes():
    for syntax in RECEIVED:
        assert accepts(CT, syntax) == syntax
    assert accepts(CT, "1.2.840.10008.1.2.4.112") == "1.2.840.10008.1.2.4.112"  # newer than the list
    for refused in ("1.2.840.10008.1.2.4.94", "1.2.840.10008.1.2.6.1", "1.2.840.10008.1.2.7.1", "1.2.840.113619.5.2"):
        assert not accepts(CT, refused)
    assert accepts(CT, "1.2.840.113619.5.2", admission=Admission("A", private_syntaxes=True))
    assert accepts(CT, "1.2.840.113619.5.2", EXPLICIT, IMPLICIT) == EXPLICIT
    assert accepts(VERIFICATION, "1.2.840.10008.1.2.5") is None
    assert ADMISSION.answer(Proposal(CT, ("1.2.3",))) == Answer(4, "1.2.3")


def test_titles():
    ask = lambda called, calling: pdu.Request(called, calling, {}, 0)  # noqa: E731 - one line of a table
    known = Admission("AIRLOCK", frozenset(["PACS"]))
    assert known.rejection(ask("AIRLOCK", "PACS")) is None
    assert known.rejection(ask("airlock", "PACS")) == pdu.Rejection(1, 1, 7)
    assert known.rejection(ask("AIRLOCK", "OTHER")) == pdu.Rejection(1, 1, 3)
    assert ADMISSION.rejection(ask("AIRLOCK", "OTHER")) is None
