"""`airlock profile convert`: recognition by content, the account, the project file, exit statuses."""

import json

import pytest
import yaml

from airlock.deid.formats.recognise import recognise
from airlock.errors import PolicyError
from airlock.project import load_policy
from tests.commands import airlock

CTP = '<script><e en="T" t="00081030" n="x">@keep()</e></script>'
SAMPLES = {
    "ctp": [
        CTP,
        f"<?xml version='1.0'?>\n<!-- c -->{CTP}",
        "#x\nset.[0008,1030]a=@keep()",
        "keep.group18=",
        "param.A=1",
    ],
    "studies": ['{"A": {"AnonymizeTag": {}}}', '{"A": {"AnonymizeVR": {}}}'],
    "stations": ['{"default": {"TagForStudy": "StudyID"}}'],
    "annex-e": ["Study ID\t(0020,0010)\nN\tY\tZ\n"],
    "deid": ["FORMAT dicom\n%header\nKEEP Modality", "# c\n\nformat dicom\n"],
    "fiona": [
        '[["0008", "1030", "StudyDescription", "keep"]]',
        "0008,1030,StudyDescription,keep",
        "group,element,name\n",
    ],
}


@pytest.mark.parametrize(("name", "text"), [(name, text) for name, texts in SAMPLES.items() for text in texts])
def test_formats_are_told_by_their_content(name, text):
    assert recognise(text) == name


@pytest.mark.parametrize("text", ["", "hello", "{}", "[]", "<html/>", "{", '{"0008,103E": ["x"]}', '[{"rules": []}]'])
def test_what_is_no_set_of_rules_is_refused(text):
    with pytest.raises(PolicyError):
        recognise(text)


@pytest.fixture
def convert(tmp_path):
    def run(text, *options, name="in.txt"):
        (tmp_path / name).write_text(text)
        out = tmp_path / "trial.yaml"
        return airlock("profile", "convert", tmp_path / name, "--out", out, *options), out

    return run


FULL = {
    "ctp": """<script><p t="DATEINC">-3</p>
      <e en="T" t="00080050">@hash(this,12)</e><e en="T" t="00080022">@incrementdate(this,@DATEINC)</e>
      <e en="T" t="00101010">@round(this,5)</e><e en="T" t="00081030">@truncate(this,8)</e>
      <e en="T" t="00080060">@require(this,"OT")</e><e en="T" t="00180015">@quarantine()</e>
      <e en="T" t="0008103E">@if(Modality,isblank){@remove()}{@if(this,greaterthan,3){@keep()}{@empty()}}</e>
      <e en="T" t="00081090">@param(@DATEINC)</e><e en="T" t="0019[ACME: &quot;1&quot;]0c">@remove()</e>
      <e en="T" t="0019[SIEMENS MR HEADER]0c">@keep()</e><k en="T" t="18"/><r en="T" t="curves"/>
      <r en="T" t="unspecifiedelements"/></script>""",
    "studies": json.dumps(
        {"A": {"RemovePrivateTags": False, "AnonymizeTag": {"StudyDescription": {"action": "value", "value": "1: x"}},
               "AnonymizeVR": {"PN": {"action": "hash"}, "DA": {"action": "offset", "value": 864000}}}}
    ),
    "annex-e": "Study ID\t(0020,0010)\nN\tY\tZ\nContent Date\t(0008,0023)\nN\tY\tD\n",
    "deid": "FORMAT dicom\n%header\nREMOVE ALL\nKEEP startswith:Series\nBLANK select:GROUP:0032\nJITTER StudyDate 31",
    "fiona": '[["0008","0080","InstitutionName","keep"],["0018","0015","BodyPartExamined","BODYPART"]]',
}  # fmt: skip


@pytest.mark.parametrize("name", FULL)
def test_the_project_file_is_loaded(convert, name):
    ended, out = convert(FULL[name])
    assert ended.status == 0, ended.stderr
    policy = load_policy(out)
    written = yaml.safe_load(out.read_text())["deidentify"]
    assert (policy.name, len(policy.deidentify.rules)) == ("trial", len(written["rules"]))
    assert len(written["rules"]) >= 2
    assert out.stat().st_mode & 0o077 == 0


@pytest.mark.parametrize(
    "text",
    [
        CTP.replace("keep", "frobnicate"),
        CTP.replace("@keep()", "@lookup(this,ptid)"),
        '{"A": {"AnonymizeTag": {"NoSuchKeyword": {}}}}',
        "FORMAT dicom\n%header\nREPLACE PatientComments func:mine",
        '[["0008", "1030", "StudyDescription", "hashtext"]]',
        "Study ID\t(0020,0010)\nN\tY\tQ\n",
    ],
)
def test_what_could_leak_makes_a_file_that_is_refused(convert, text):
    ended, out = convert(text)
    assert ended.status == 3
    assert "unresolved" in ended.stdout
    with pytest.raises(PolicyError, match=r"trial.yaml:\d+: deidentify\.rules"):
        load_policy(out)


def test_lookup_tables_stay_in_their_file(convert, tmp_path):
    (tmp_path / "ids.lut").write_text("acc/DOE-1 = A1\n")
    ended, out = convert(CTP.replace("00081030", "00080050").replace("@keep()", "@lookup(this,acc)"),
                         "--lookup", tmp_path / "ids.lut")  # fmt: skip
    assert ended.status == 0, ended.stderr
    assert yaml.safe_load(out.read_text())["deidentify"]["rules"] == [
        {"tag": "AccessionNumber", "action": "lookup", "table": "ids.lut", "type": "acc"}
    ]
    assert "DOE" not in out.read_text() + ended.stdout


def test_options(convert, tmp_path):
    (tmp_path / "white.json").write_text('{"0008,103E": ["CT HEAD"]}')
    spec = "Series Description\t(0008,103e)\nN\tY\tX\t\t\t\t\t\t\tC\t\t\n"
    ended, out = convert(spec, "--whitelist", tmp_path / "white.json", "--name", "Two words")
    assert ended.status == 0
    assert (load_policy(out).name, "keep-matching" in out.read_text()) == ("Two words", True)
    ended, out = convert('{"A": {"AnonymizeTag": {"StudyID": {}}}, "B": {"AnonymizeTag": {}}}', "--study", "a")
    assert (ended.status, "StudyID" in out.read_text()) == (0, True)
    ended, out = convert(CTP.replace("@keep()", ""), "--format", "rsna")
    assert "{tag: StudyDescription, action: keep}" in out.read_text()


def test_the_account_can_be_shortened(convert):
    text = "FORMAT dicom\n%header\nREMOVE StudyID\nREPLACE AccessionNumber var:id"
    assert "StudyID" in convert(text)[0].stdout
    assert "StudyID" not in convert(text, "--changed")[0].stdout


def test_stations_are_shown_and_not_written(convert):
    ended, out = convert(
        '{"default": {"TagForStudy": "StudyID"}, "mr1": {"TagForStudy": "ProtocolName", "Split": "^"}}'
    )
    assert (ended.status, out.exists()) == (0, False)
    assert "MR1" in ended.stdout
    assert "ProtocolName" in ended.stdout


@pytest.mark.parametrize("content", [b"\xff\xfe", b"hello"])
def test_a_file_that_is_not_understood(tmp_path, content):
    (tmp_path / "in").write_bytes(content)
    ended = airlock("profile", "convert", tmp_path / "in", "--out", tmp_path / "out.yaml")
    assert (ended.status, (tmp_path / "out.yaml").exists()) == (2, False)
    assert ended.stderr.startswith("Error") or "not" in ended.stderr
