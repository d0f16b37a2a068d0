import json

import pytest

from airlock.dicomio.peer import Peer
from airlock.errors import PolicyError


def test_a_uri_and_a_json_object_say_the_same():
    uri = "dicom://pacs.example:11112?called_aet=PACS&calling_aet=GATE%20WAY&move_port=104&dimse_timeout=2.5"
    extra = {"called_aet": "PACS", "calling_aet": "GATE WAY", "move_port": 104, "dimse_timeout": 2.5, "other": 1}
    document = {"conn_type": "dicom", "host": "pacs.example", "port": 11112, "extra": extra}
    expected = Peer("pacs.example", 11112, "PACS", "GATE WAY", move_port=104, dimse_timeout=2.5)
    assert Peer.from_uri(uri) == expected
    assert Peer.from_uri(json.dumps(document)) == expected
    assert Peer.from_uri(json.dumps({**document, "extra": json.dumps(extra)})) == expected
    assert Peer.from_uri("dicom://pacs.example:11112?__extra__=" + json.dumps(extra).replace(" ", "%20")) == expected


def test_the_environment_is_read_as_airflow_reads_it(monkeypatch):
    monkeypatch.setenv("AIRFLOW_CONN_RESEARCH_PACS", "dicom://127.0.0.1:4242")
    assert Peer.from_environment("research_pacs") == Peer("127.0.0.1", 4242)
    with pytest.raises(PolicyError, match="AIRFLOW_CONN_OTHER is not set"):
        Peer.from_environment("other")


@pytest.mark.parametrize("title", ["", " ", "SEVENTEEN-LETTERS", "BACK\\SLASH", "Ünlaut", "TAB\t"])
def test_ae_titles_are_checked(title):
    with pytest.raises(PolicyError, match="called_aet is not an AE title"):
        Peer("h", 104, called_aet=title)


@pytest.mark.parametrize(
    "text", ["", "dicom://", "dicom://host", "dicom://host:0", "dicom://host:99999", "{", '{"port": "x"}', "[]"]
)
def test_what_cannot_be_read_is_refused_without_being_repeated(text):
    with pytest.raises(PolicyError) as caught:
        Peer.from_uri(text)
    assert not text or text not in str(caught.value)


def test_numbers_are_checked():
    with pytest.raises(PolicyError, match="move_port"):
        Peer.from_parts("h", 1, {"move_port": "many"})
    with pytest.raises(PolicyError, match="acse_timeout"):
        Peer("h", 1, acse_timeout=0)
