"""Every function of the CTP anonymizer, by what it becomes."""

import pytest

from airlock.deid.formats.ctp import read_ctp
from airlock.deid.formats.ctp_functions import FUNCTIONS
from tests.foreign_rules import rules_of

DATE, AGE, UID, CODES, ACCESSION = "00080022", "00101010", "00200052", "00081032", "00080050"
PARAMETERS = '<p t="DATEINC">-3</p><p t="ROOT">1.2.3</p><p t="SITE">S-7</p><p t="N">4</p>'

CASES = [
    # expression, tag, rule, fate
    ("@keep()", "00081030", "keep", "same"),
    ("@remove()", "00081030", "remove", "same"),
    ("@empty()", "00081030", "empty", "same"),
    ("@blank(12)", "00081030", "empty", "same"),
    ("", "00081030", "empty", "same"),
    ("@quarantine()", "00081030", "hold", "same"),
    ("@skip()", "00081030", "hold", "stricter"),
    ("@hash(this,10)", ACCESSION, "hash length=10", "same"),
    ("@hash(this)", ACCESSION, "hash length=16", "same"),
    ("@hash(PatientID,12)", ACCESSION, "hash length=12", "stricter"),
    ("@hash(this,64)", ACCESSION, "hash length=16", "same"),
    ("@hash(this)", DATE, "empty", "stricter"),
    ("@hash(this)", CODES, "remove", "stricter"),
    ("@hash(this)", UID, "uid", "same"),
    ("@hashuid(@ROOT,this)", UID, "uid", "same"),
    ("@hashuid(@ROOT,FrameOfReferenceUID)", UID, "uid", "same"),
    ("@hashuid(@ROOT,SOPInstanceUID)", UID, "uid", "stricter"),
    ("@hashname(this,6,2)", "00081050", "hash length=6", "stricter"),
    ("@hashptid(@SITE,this,8)", "00101000", "hash length=8", "stricter"),
    ("@hashdate(this,PatientID)", DATE, "shift", "stricter"),
    ("@incrementdate(this,@DATEINC)", DATE, "shift days=-3", "same"),
    ("@incrementdate(this,10)", DATE, "shift days=10", "same"),
    ("@incrementdate(this,@NOWHERE)", DATE, "shift", "stricter"),
    ("@incrementdate(StudyDate,@DATEINC)", DATE, "shift", "stricter"),
    ("@incrementdate(this,5)", "00081030", "empty", "stricter"),
    ("@modifydate(this,*,1,1)", DATE, "empty", "stricter"),
    ("@dateinterval(this,ptid,PatientID)", DATE, "empty", "stricter"),
    ("@lookup(this,ptid)", ACCESSION, "lookup table=t.lut type=ptid", "same"),
    ("@lookup(this,ptid,keep)", ACCESSION, "lookup table=t.lut type=ptid", "stricter"),
    ('@lookup(this,ptid,ignore,"X.*")', ACCESSION, "lookup table=t.lut type=ptid", "stricter"),
    ("@lookup(this,absent)", ACCESSION, "unresolved", "unresolved"),
    ("@lookup(PatientID,ptid)", ACCESSION, "unresolved", "unresolved"),
    ("@integer(this,acc,6)", ACCESSION, "hash length=6", "stricter"),
    ("@round(this,5)", AGE, "round to=5", "same"),
    ("@round(this,@N)", AGE, "round to=4", "same"),
    ("@round(this,0)", AGE, "empty", "stricter"),
    ("@round(this,5)", "00101030", "empty", "stricter"),
    ("@truncate(this,8)", "00081030", "truncate length=8", "same"),
    ("@truncate(this,0)", "00081030", "empty", "same"),
    ("@truncate(this,-4)", "00081030", "empty", "stricter"),
    ("@truncate(PatientID,4)", "00081030", "empty", "stricter"),
    ("@param(@SITE)", "00081030", "replace value=S-7", "same"),
    ("@param(@NOWHERE)", "00081030", "unresolved", "unresolved"),
    ("@contents(this)", "00081030", "keep", "same"),
    ('@contents(this,"[0-9]+")', "00081030", "empty", "stricter"),
    ('@contents(this,"[0-9]+","#")', "00081030", "empty", "stricter"),
    ("@contents(PatientName)", "00081030", "empty", "stricter"),
    ('@value(this,"none")', "00081030", "keep", "same"),
    ("@value(PatientName)", "00081030", "empty", "stricter"),
    ("@lowercase(this)", "00081030", "keep", "same"),
    ("@uppercase(PatientName)", "00081030", "empty", "stricter"),
    ("@require()", "00081030", "require", "same"),
    ('@require(this,"CT")', "00080060", "require value=CT", "same"),
    ('@require(StudyDate,"20000101")', DATE, "empty", "stricter"),
    ("@process()", CODES, "keep", "same"),
    ("@keep()", CODES, "keep", "stricter"),
    ("@initials(this)", "00081050", "empty", "stricter"),
    ("@initials(this,3)", "00081050", "empty", "stricter"),
    ("@scrambled(this)", "00081050", "empty", "stricter"),
    ('@encrypt(this,"key")', "00081030", "empty", "stricter"),
    ('@decrypt(this,"key")', "00081030", "unresolved", "unresolved"),
    ("@date(-)", DATE, "empty", "stricter"),
    ("@time(:)", "00080032", "empty", "stricter"),
    ("@pathelement(this,-1)", "00081030", "empty", "stricter"),
    ("@call(filter,x)", "00081030", "unresolved", "unresolved"),
    ("@frobnicate(this)", "00081030", "unresolved", "unresolved"),
    ("@always()@param(@SITE)", "00081030", "replace value=S-7", "same"),
    ("@always()", "00081030", "empty", "same"),
    ("@append(){new}", "00081030", "replace value=new", "stricter"),
    ("@select(){@keep()}{@remove()}", "00081030", "remove", "stricter"),
    ("@select(){@keep()}{@keep()}", "00081030", "keep", "same"),
    ("Research", "00081030", "replace value=Research", "same"),
    (r"one\@site.example", "00081030", "replace value=one@site.example", "same"),
    ("Site @param(@SITE)", "00081030", "replace value=Site S-7", "same"),
    ("S-@hash(this,6)", ACCESSION, "hash length=16", "stricter"),
    ("S-@contents(this)", ACCESSION, "empty", "stricter"),
    ("S-@remove()", ACCESSION, "remove", "same"),
    ("S-@frobnicate()", ACCESSION, "unresolved", "unresolved"),
    ("@hash(this", ACCESSION, "unresolved", "unresolved"),
    ("@ (this)", ACCESSION, "unresolved", "unresolved"),
    ("@if(this,exists){@keep()}", ACCESSION, "unresolved", "unresolved"),
]


@pytest.mark.parametrize(("expression", "tag", "rule", "fate"), CASES)
def test_function(ctp, expression, tag, rule, fate):
    assert ctp(expression, tag, PARAMETERS, tables={"ptid": "t.lut"}) == (rule, fate)


def test_every_function_has_a_case():
    tried = {name for name in FUNCTIONS for expression, *_ in CASES if f"@{name}(" in expression}
    assert tried == set(FUNCTIONS)


CONDITIONS = [
    ("@if(Modality,equals,CT){@keep()}{@remove()}", "keep when Modality {'matches': '(?i:CT)'}; remove"),
    ("@if(this,contains,\"abc\"){@remove()}{@keep()}",
     "remove when StudyDescription {'matches': '(?is:.*abc.*)'}; keep"),
    ("@if(this,matches,\"[A-Z]+\"){@keep()}{@empty()}", "keep when StudyDescription {'matches': '(?:[A-Z]+)'}; empty"),
    ("@if(Modality,exists){@keep()}{@empty()}", "keep when Modality {'exists': True}; empty"),
    (
        "@if(this,isblank){@remove()}{@keep()}",
        "remove when StudyDescription {'exists': False}; remove when StudyDescription {'matches': '\\\\s*'}; keep",
    ),
    (
        "@if(Modality,equals,CT){@keep()}{@if(Modality,equals,MR){@empty()}{@remove()}}",
        "keep when Modality {'matches': '(?i:CT)'}; empty when Modality {'matches': '(?i:MR)'}; remove",
    ),
    # what can't be told becomes the strictest of its branches
    ("@if(this,greaterthan,7){@keep()}{@remove()}", "remove"),
    ("@if(this,matches,\"[\"){@keep()}{@empty()}", "empty"),
    ("@if(this,equals,@NOWHERE){@keep()}{@empty()}", "empty"),
    ("@if(this,resembles,x){@keep()}{@remove()}", "remove"),
    ("@if(Nowhere,exists){@keep()}{@remove()}", "remove"),
    ("@if(this){@keep()}{@remove()}", "remove"),
    ("@if(Modality,equals,CT){@if(this,exists){@keep()}{@remove()}}{@keep()}",
     "remove when Modality {'matches': '(?i:CT)'}; keep"),
    ("@if(this,resembles,x){@keep()}{@frobnicate()}", "unresolved"),
    ("@if(this,exists){@remove()}{@empty()} tail", "remove"),
]  # fmt: skip


@pytest.mark.parametrize(("expression", "rule"), CONDITIONS)
def test_condition(ctp, expression, rule):
    assert ctp(expression, extra=PARAMETERS)[0] == rule


@pytest.mark.parametrize("limit", [0, 7, 9, 10, 89, 90, 99, 100, 899])
def test_greater_than_is_told_by_digits(limit):
    import re

    script = f'<script><e en="T" t="00101010">@if(this,greaterthan,{limit}){{090Y}}{{@keep()}}</e></script>'
    pattern = read_ctp(script).rules[0].when["matches"]
    for age in range(1000):
        assert bool(re.fullmatch(pattern, f"{age:03}Y")) is (age > limit)


def test_an_age_above_89_is_capped(ctp):
    rule, _ = ctp("@if(this,greaterthan,089Y){090Y}{@keep()}", AGE)
    assert rule.startswith("replace value=090Y when PatientAge")
    assert rule.endswith("; keep")


def test_an_unknown_function_in_one_branch_is_not_hidden_by_the_other(ctp):
    rule, fate = ctp("@if(Modality,equals,CT){@frobnicate()}{@remove()}")
    assert (rule.startswith("unresolved when"), fate) == (True, "unresolved")


def test_the_stricter_of_two_lines_for_one_element_counts():
    for first, second in (("@keep()", "@remove()"), ("@remove()", "@keep()")):
        script = f'<script><e en="T" t="00081030">{first}</e><e en="T" t="00081030">{second}</e></script>'
        assert rules_of(read_ctp(script)) == {"StudyDescription": "remove"}
