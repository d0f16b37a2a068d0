"""What stays of descriptions as scanners and radiographers write them."""

from __future__ import annotations

import pytest

from airlock.deid.descriptors import DescriptorCleaner
from airlock.identity.evidence import Evidence
from airlock.identity.identifiers import Identifiers

WHOLE = """AX T1 POST FATSAT GD|Sag T2 FLAIR CUBE|t1_mprage_sag_p2_iso|ep2d_diff_3scan_trace_p2_ADC|AXIAL 3D SPGR
CT ABDOMEN W/O CONTRAST|Breast MRI bilateral w/wo|Spine lumbar w/o|CT Thorax/Abdomen/Becken mit KM|MRT Schädel|R CC
L MLO
HeadNeckPETCT|Topogram 0.6 T20f|MPR Thick Range[1]|T1 VIBE DIXON opp|prostate multiparametric
presentation state|Screen Save
Ganzkörper|Kniegelenk links 2 Ebenen|Lungenübersicht p.a.|TEP corps entier|tórax PA|NUCLEAR MEDICINE BONE SCAN
Thin Lung 1.25mm|CTA HEAD & NECK|Hand AP/obl/lat left|CINE 4 chamber
T1 AX POST GAD|W/O CONTRAST|AX 3D T1 POST GAD FSPGR|PET WB CORRECTED|FDG AC|ABDOMEN W CONTRAST
DELAYED PHASE|3 PLANE LOC
NON CONTRAST|non-FS|in/out phase|CT ABDOMEN & PELVIS W/ IV CONT|C5-C6 FLEX/EXT|MR L4/L5/S1
Enhancing tumor|PTV_60Gy|VMAT 2 arcs|SpinalCord|CT ANGIO CHEST PE PROTOCOL|ThorRoutine 5.0 B40f|CCTA bestdiast
CT w.o contrast|CT W-O CONTRAST|TAC sem contraste|CT uden kontrast|un-gated|ep2d_diff_b0_100_400_800_TRACEW"""
CUT = {
    "CT CHEST Dr. Okonkwo": "CT CHEST",
    "R Okonkwo CT": "CT",
    "Okonkwo R CT chest": "CT chest",
    "knee (Okonkwo) lateral": "knee lateral",
    "CT 12.03.1961 chest": "CT chest",
    "OkonkwoChest": "",
    "MRT HeadOkonkwo": "MRT",
    "MR 0_100_405_800 head": "MR head",
    "b800_400_100 head": "b head",
    "MR 555_014_7788": "MR",
    "CT chest W.O. Okonkwo": "CT chest",
}


@pytest.fixture
def cleaner() -> DescriptorCleaner:
    return DescriptorCleaner(Identifiers(Evidence()))


@pytest.mark.parametrize("text", [text for line in WHOLE.splitlines() for text in line.split("|")])
def test_a_usual_description_stays_as_it_is(cleaner: DescriptorCleaner, text: str) -> None:
    assert cleaner.clean(text) == text


@pytest.mark.parametrize(("text", "left"), CUT.items())
def test_what_is_not_known_goes(cleaner: DescriptorCleaner, text: str, left: str) -> None:
    assert cleaner.clean(text) == left


def test_half_of_without_never_stays(cleaner: DescriptorCleaner) -> None:
    assert cleaner.clean("HEAD W/O") == "HEAD W/O"
    assert cleaner.clean("HEAD w/ contrast") == "HEAD w/ contrast"


@pytest.mark.parametrize("name", ["Axford^Gadd", "Contreras^Ana", "Corona^Vera", "Postma^Lot", "Martin^Paula", "王^芳"])
def test_a_name_that_resembles_a_description_cuts_nothing_from_it(name: str) -> None:
    evidence = Evidence(names={name}, numbers={"QF-7731942"}, birth_dates={"19610203"}, dates={"20200110"})
    cleaner = DescriptorCleaner(Identifiers(evidence))
    texts = [text for line in WHOLE.splitlines() for text in line.split("|")]
    assert [text for text in texts if cleaner.clean(text) != text] == []
