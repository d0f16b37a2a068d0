"""CTP scripts as files: both spellings, what is switched off, whole groups, lookup tables, and the RSNA dialect."""

import pytest

from airlock.deid.formats.ctp import read_ctp
from airlock.deid.formats.ctp_lookup import read_lookup
from airlock.errors import PolicyError
from tests.foreign_rules import fates_of, rules_of

NEEDED = {"SOPClassUID": "keep", "SOPInstanceUID": "uid", "StudyInstanceUID": "uid", "SeriesInstanceUID": "uid"}

XML = """\
<script>
  <p t="DATEINC">-3</p>
  <e en="T" t="00080005" n="SpecificCharacterSet">@keep()</e>
  <e en="T" t="00080020" n="StudyDate">@incrementdate(this,@DATEINC)</e>
  <e en="F" t="00081030" n="StudyDescription">@keep()</e>
  <e en="T" t="00100010" n="PatientName">@hashptid(@SITEID,PatientID)</e>
  <e en="T" t="00120063" n="DeIdentificationMethod">Per {DICOM} PS 3.15</e>
  <e en="T" t="00120064" n="DeIdentificationMethodCodeSeq">113100/113101</e>
  <e en="T" t="00190010" n="raw">@keep()</e>
  <e en="T" t="0019[ACME, INC]0c" n="b value">@keep()</e>
  <e en="T" t="0019[ACME, INC]0d" n="b vector">@remove()</e>
  <e en="T" t="0019[ACME, INC]0e" n="secret">@frobnicate()</e>
  <e en="T" t="001900[ACME, INC]" n="block">@keep()</e>
  <k en="T" t="0018">Keep group 0018</k>
  <k en="F" t="0020">Keep group 0020</k>
  <k en="F" t="safeprivateelements">Keep safe private elements</k>
  <r en="T" t="privategroups">Remove private groups</r>
  <r en="T" t="unspecifiedelements">Remove unchecked elements</r>
  <r en="T" t="overlays">Remove overlays</r>
  <r en="F" t="curves">Remove curves</r>
</script>
"""

PROPERTIES = r"""
# a comment
! another
param.DATEINC=-3
set.[0008,0005]SpecificCharacterSet=@keep()
set.[0008,0020]StudyDate=@incrementdate(this,\
    @DATEINC)
#set.[0008,1030]StudyDescription=@keep()
set.[0010,0010]PatientName=@hashptid(@SITEID,PatientID)
set.[0012,0063]DeIdentificationMethod=Per {DICOM} PS 3.15
set.[0012,0064]DeIdentificationMethodCodeSeq=113100/113101
set.[0019,0010]raw=@keep()
set.[0019,[ACME, INC]0c]b value=@keep()
set.[0019,[ACME, INC]0d]b vector=@remove()
set.[0019,[ACME, INC]0e]secret=@frobnicate()
set.[0019,00[ACME, INC]]block=@keep()
keep.group0018=
#keep.group0020=
#keep.safeprivateelements=
remove.privategroups=
remove.unspecifiedelements=
remove.overlays=
#remove.curves=
"""


@pytest.mark.parametrize("text", [XML, PROPERTIES, "\ufeff" + XML])
def test_both_spellings_mean_the_same(text):
    conversion = read_ctp(text)
    assert rules_of(conversion) == {
        **NEEDED,
        "SpecificCharacterSet": "keep",
        "StudyDate": "shift days=-3",
        '(0019,"ACME, INC",0e)': "unresolved",
        "(0018,xxxx)": "keep",
        "(60xx,xxxx)": "remove",
        "(0028,xxxx)": "keep",
        "(7fe0,xxxx)": "keep",
        "(xxxx,xxxx)": "remove",
    }
    assert (conversion.private, conversion.keep_private) == ("keep-list", ['(0019,"ACME, INC",0c)'])
    fates = fates_of(conversion)
    assert fates["PatientName"] == fates["DeidentificationMethod"] == "covered"
    assert fates["DeidentificationMethodCodeSequence"] == "covered"
    assert fates["StudyDescription"] == "same"  # switched off, and removed as all others
    assert (fates["(0019,0010)"], fates['(0019,"ACME, INC",0d)']) == ("stricter", "covered")
    assert conversion.unresolved == 1
    # the rule for all others is the last: the first that fits is used
    assert conversion.rules[-1].attribute.name == "(xxxx,xxxx)"


def test_without_removal_of_unspecified_elements_ps3_15_decides():
    conversion = read_ctp('<script><e en="T" t="00081030" n="x">@keep()</e><r en="F" t="privategroups"/></script>')
    assert rules_of(conversion) == {"StudyDescription": "keep"}
    assert (conversion.private, fates_of(conversion)["private"]) == ("remove", "stricter")


def test_safe_private_elements():
    script = """<script><k en="T" t="safeprivateelements"/><e en="T" t="0019[ACME]0c" n="">@keep()</e></script>"""
    conversion = read_ctp(script)
    assert (conversion.private, conversion.keep_private) == ("safe", ['(0019,"ACME",0c)'])


def test_a_private_group_is_not_kept_as_a_whole():
    conversion = read_ctp('<script><k en="T" t="0019">Keep</k></script>')
    assert (rules_of(conversion), fates_of(conversion)["0019"]) == ({}, "stricter")


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        ('<e en="T" t="00081030">@keep()', "not XML"),
        ('<x en="T" t="00081030">@keep()</x>', "<x> is no part"),
        ('<e en="T" t="00081030"><b>@keep()</b></e>', "<b> is no part"),
        ("@keep()", "outside of all elements"),
    ],
)
def test_a_file_that_is_no_script_is_refused(body, problem):
    with pytest.raises(PolicyError, match=problem):
        read_ctp(f"<script>{body}</script>" if not problem.startswith("not") else f"<script>{body}")


def test_entities_are_never_expanded():
    bomb = '<!DOCTYPE script [<!ENTITY a "@remove()">]><script><e en="T" t="00081030">&a;</e></script>'
    with pytest.raises(PolicyError, match="document type"):
        read_ctp(bomb)


def test_a_line_of_properties_that_is_not_understood_is_refused():
    with pytest.raises(PolicyError, match="line 2"):
        read_ctp("param.A=1\nremovee.privategroups=\n")


@pytest.mark.parametrize("target", ["", "0008", "zzzzzzzz"])
def test_a_removal_of_nothing_that_is_known_is_not_passed_over(target):
    assert read_ctp(f'<script><e en="T" t="{target}" n="x">@remove()</e></script>').unresolved == 1
    assert read_ctp(f'<script><e en="F" t="{target}" n="x">@remove()</e></script>').unresolved == 0
    assert read_ctp('<script><r en="T" t="everything"/></script>').unresolved == 1


class TestLookup:
    def test_table(self):
        text = "# ids\nptid/P\\=1 = A-1\nptid/P 2=A-2\nacc/7 : X\nplain=1\n"
        assert read_lookup(text) == {"ptid": {"P=1": "A-1", "P 2": "A-2"}, "acc": {"7": "X"}, "": {"plain": "1"}}

    @pytest.mark.parametrize("text", ["ptid/DOE\n", "ptid/DOE=1\nptid/DOE=2\n"])
    def test_an_error_shows_no_value(self, text):
        with pytest.raises(PolicyError, match="line") as raised:
            read_lookup(text)
        assert "DOE" not in str(raised.value)


class TestRsna:
    """The RSNA anonymizer keeps what it does not understand; none of its scripts may do that here."""

    SCRIPT = """<script>
    <e en="T" t="00080018" n="SOPInstanceUID">@uid</e>
    <e en="T" t="00200052" n="FrameOfReferenceUID">@uid</e>
    <e en="T" t="00200200" n="SynchronizationFrameOfReferenceUID">@hashuid(@UIDROOT,this)</e>
    <e en="T" t="00080050" n="AccessionNumber">@acc</e>
    <e en="T" t="00100020" n="PatientID">@ptid</e>
    <e en="T" t="00080060" n="Modality">@keep</e>
    <e en="T" t="00080070" n="Manufacturer"></e>
    <e en="F" t="00080022" n="AcquisitionDate">@hashdate(this,PatientID)</e>
    <e en="T" t="00080023" n="ContentDate">@hashdate(this,PatientID)</e>
    <e en="T" t="00101010" n="PatientAge">@round(this,5)</e>
    <e en="T" t="00081030" n="StudyDescription">@lookup(this,desc)</e>
    <e en="T" t="00081090" n="ManufacturerModelName">@whatever(this)</e>
    <k en="T" t="0018">Keep group 0018</k>
    </script>"""

    def test_dialect(self):
        conversion = read_ctp(self.SCRIPT)
        assert conversion.format == "RSNA anonymizer script"
        assert rules_of(conversion) == {
            **NEEDED,
            "FrameOfReferenceUID": "uid",
            "SynchronizationFrameOfReferenceUID": "uid",
            "AccessionNumber": "hash length=16",
            "Modality": "keep",
            "Manufacturer": "keep",
            "ContentDate": "shift",
            "PatientAge": "round to=5",
            "StudyDescription": "unresolved",
            "ManufacturerModelName": "unresolved",
            "(xxxx,xxxx)": "remove",
        }
        fates = fates_of(conversion)
        assert (fates["PatientID"], fates["AcquisitionDate"], fates["0018"]) == ("covered", "stricter", "left out")

    def test_a_script_without_its_own_words_can_be_named(self):
        script = '<script><e en="T" t="00080070" n="x"></e></script>'
        assert rules_of(read_ctp(script)) == {"Manufacturer": "empty"}
        assert rules_of(read_ctp(script, dialect="rsna"))["Manufacturer"] == "keep"

    def test_its_words_mean_nothing_in_ctp(self):
        assert read_ctp('<script><e en="T" t="00080050">@acc</e></script>', dialect="ctp").unresolved == 1
