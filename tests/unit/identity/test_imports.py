"""What earlier systems knew is taken over as they wrote it, or not at all."""

import csv
import json
import os
import pickle
import zipfile

import pytest

from airlock.errors import HeldError, RefusedError
from airlock.identity.exports import export
from airlock.identity.forget import forget
from airlock.identity.importer import import_mappings
from airlock.identity.imports.formats import format_of, read_mappings
from airlock.identity.imports.pickled import Inert
from airlock.identity.imports.tables import LOOKUP_COLUMNS
from airlock.identity.mappings import UnreadableMappings
from airlock.identity.question import Question
from airlock.identity.service import IdentityService
from airlock.identity.store import open_store
from airlock.settings import Settings
from tests import old_stores
from tests.identity_contract import KEYS, policy, study

V17_COLUMNS = [
    "ANON-PatientID", "ANON-PatientName", "PHI-PatientName", "PHI-PatientID", "DateOffset", "PHI-StudyDate",
    "ANON-Accession", "PHI-Accession", "ANON-StudyInstanceUID", "PHI-StudyInstanceUID", "Number of Series",
    "Number of Instances",
]  # fmt: skip
WRITERS = {
    "rsna-index": old_stores.write_index,
    "rsna-lookup": lambda path: old_stores.write_lookup(path, list(LOOKUP_COLUMNS)),
    "rsna-lookup-17": lambda path: old_stores.write_lookup(path, V17_COLUMNS),
    "rsna-v17": old_stores.write_v17,
    "rsna-v17-two-way": lambda path: old_stores.write_v17(path, two_way=True),
    "rsna-v18": old_stores.write_v18,
    "dicom-anon": old_stores.write_identity_db,
}
RSNA = [name for name in WRITERS if name.startswith("rsna")]


@pytest.fixture
def store(tmp_path):
    return open_store(Settings(home=tmp_path / "home"), KEYS)


@pytest.fixture(params=WRITERS)
def written(request, tmp_path):
    return request.param, WRITERS[request.param](tmp_path / "store")


def test_every_format_is_recognised(written):
    name, path = written
    assert name.startswith(format_of(path))


def test_what_is_imported_goes_on(written, store):
    name, path = written
    project = policy(patient="running", site=old_stores.SITE, accession="running")
    first = import_mappings(store, KEYS, project, read_mappings(path))
    assert (first.patients, first.studies) == (2, 3)
    again = import_mappings(store, KEYS, project, read_mappings(path))
    assert (again.patients, again.studies, again.accessions, again.uids) == (0, 0, 0, 0)

    service = IdentityService(store, KEYS, project)
    for patient, uid, new_uid, _, days, accession, new_accession in old_stores.STUDIES:
        found = service.identify(Question({(patient, "HOSP")}, uid, "", [uid, f"{uid}.1.1"], [accession]))
        assert found.uids(uid) == new_uid
        if name in RSNA:
            assert (found.subject, found.offset_days) == (old_stores.SUBJECTS[patient], days)
        else:
            assert found.subject == ("Patient ID 1" if patient == "PAT-A" else "Patient ID 3")
        if name in ("rsna-v17", "rsna-v17-two-way", "rsna-v18", "dicom-anon"):
            assert found.uids(f"{uid}.1.1") == f"{new_uid}.1.1"
        if name.startswith(("rsna-v17", "rsna-i", "rsna-l")):
            assert found.accessions == {accession: new_accession}
    stranger = service.identify(study(9, "PAT-C", accessions=["ACC-9"]))
    assert stranger.subject == f"{old_stores.SITE}-00000{3 if name in RSNA else 1}", "the next number follows"
    assert int(stranger.accessions["ACC-9"]) > 0


def test_what_is_left_out_is_said(tmp_path, store):
    found = import_mappings(store, KEYS, policy(), read_mappings(old_stores.write_v18(tmp_path / "x.db")))
    assert (found.patients, found.studies, found.accessions, found.uids) == (2, 3, 1, 10)
    notes = " ".join(f"{count} {note}" for note, count in found.notes.items())
    assert "1 patients without PatientID" in notes
    assert "2 new accession numbers of more than 16 characters" in notes
    numbered = read_mappings(old_stores.write_identity_db(tmp_path / "identity.db"))
    assert dict(numbered.notes)["patients with a further new id; the first one goes on"] == 1
    assert numbered.patients["PAT-A"].others == ["Patient ID 2"]


def test_a_dry_run_keeps_nothing(tmp_path, store):
    mappings = read_mappings(old_stores.write_v17(tmp_path / "x.pkl"))
    assert import_mappings(store, KEYS, policy(), mappings, dry_run=True).patients == 2
    assert store.counts() == {}


@pytest.mark.parametrize(
    ("before", "words"),
    [
        (study(1, "PAT-A", subject="OTHER"), "1 patients are known under another"),
        (study(1, "PAT-X", subject=old_stores.SUBJECTS["PAT-B"]), "1 patients have a new id that belongs"),
        (study(1, "PAT-X", subject="X", uids=["1.2.276.1"]), "1 UIDs are known with another"),
    ],
)
def test_a_contradiction_imports_nothing(tmp_path, store, before, words):
    IdentityService(store, KEYS, policy()).identify(before)
    counts = store.counts()
    with pytest.raises(HeldError, match=words) as held:
        import_mappings(store, KEYS, policy(), read_mappings(old_stores.write_v17(tmp_path / "x.pkl")))
    assert "PAT-" not in str(held.value)
    assert store.counts() == counts


def test_a_study_of_another_patient_imports_nothing(tmp_path, store):
    IdentityService(store, KEYS, policy()).identify(Question({("PAT-X", "")}, "1.2.276.1", "X"))
    with pytest.raises(HeldError, match="1 studies are known as another"):
        import_mappings(store, KEYS, policy(), read_mappings(old_stores.write_v18(tmp_path / "x.db")))


class TestPickle:
    def test_nothing_in_it_is_run(self, tmp_path):
        class Attack:
            def __init__(self, *what):
                self.what = what

            def __reduce__(self):
                return self.what

        marker = tmp_path / "marker"
        for what in ((os.system, (f"touch {marker}",)), (open, (str(marker), "w")), (eval, ("1/0",))):
            path = tmp_path / "attack.pkl"
            path.write_bytes(pickle.dumps(Attack(*what), protocol=4))
            with pytest.raises(UnreadableMappings):
                read_mappings(path, "rsna-v17")
            assert not marker.exists()

    @pytest.mark.parametrize(
        "content", [b"", b"\x80\x05", b"\x80\x05N.", b"\x80\x04" + b"(" * 5000, b"c__main__\nX\n."]
    )
    def test_what_is_no_model_is_refused(self, tmp_path, content):
        (tmp_path / "x.pkl").write_bytes(content)
        with pytest.raises(UnreadableMappings, match="AnonymizerModel"):
            read_mappings(tmp_path / "x.pkl", "rsna-v17")

    def test_a_place_holder_only_holds(self):
        holder = Inert(1)
        assert isinstance(holder(2), Inert)
        assert isinstance(Inert("x").given, tuple)


class TestTables:
    def test_entities_are_refused(self, tmp_path):
        bomb = '<!DOCTYPE sst [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;">]>'
        with pytest.raises(UnreadableMappings, match="entities"):
            read_mappings(old_stores.write_index(tmp_path / "x.xlsx", doctype=bomb))

    def test_what_is_no_workbook_is_refused(self, tmp_path):
        path = tmp_path / "x.xlsx"
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("readme", "x")
        with pytest.raises(UnreadableMappings, match="workbook"):
            read_mappings(path)

    @pytest.mark.parametrize(
        ("text", "words"),
        [
            ("PHI-PatientID,x\n1,2\n", "no column"),
            (",".join(LOOKUP_COLUMNS) + "\nonly,three,cells\n", "Row 2 has 3 cells"),
            (",".join(LOOKUP_COLUMNS) + "\nS,S,N,P,soon,,,,1.2,1.3,1,1\n", "Row 2: DateOffset"),
            ('PHI-PatientID,"x\n', "quotation"),
            ("id_old,id_new\n1,2,3\n", "Row 2 has 3 cells"),
            ("a,b\n", "none of the formats"),
            ("", "none of the formats"),
            ('{"StudyInstanceUID": 3}', "mapping.json"),
        ],
    )
    def test_what_is_damaged_is_refused(self, tmp_path, text, words):
        (tmp_path / "x").write_text(text)
        with pytest.raises(UnreadableMappings, match=words):
            read_mappings(tmp_path / "x")

    def test_fionas_mapping(self, tmp_path, store):
        document = {"StudyInstanceUID": {"1.2.3.1": "1.3.6.1.4.1.45037.9"}, "SeriesInstanceUID": {"1.2.3.1.1": "1.3.9"}}
        (tmp_path / "mapping.json").write_text(json.dumps(document))
        import_mappings(store, KEYS, policy(), read_mappings(tmp_path / "mapping.json"))
        found = IdentityService(store, KEYS, policy()).identify(study(1, uids=["1.2.3.1", "1.2.3.1.1"]))
        assert [found.uids(uid) for uid in ("1.2.3.1", "1.2.3.1.1")] == ["1.3.6.1.4.1.45037.9", "1.3.9"]
        assert len(found.known_uids) == 2


class TestExport:
    def test_the_lookup_table_comes_back(self, tmp_path, store):
        path = old_stores.write_lookup(tmp_path / "in.csv", list(LOOKUP_COLUMNS))
        import_mappings(store, KEYS, policy(), read_mappings(path))
        assert export(store, "P", "lookup", tmp_path / "out.csv") == 3
        assert (tmp_path / "out.csv").read_bytes() == path.read_bytes()
        assert (tmp_path / "out.csv").stat().st_mode & 0o077 == 0

    @pytest.mark.parametrize("kind", ["uid-map", "patid-map"])
    def test_pairs_come_back(self, tmp_path, store, kind):
        service = IdentityService(store, KEYS, policy())
        asked = [study(n, f"PAT-{n}", subject=f"S-{n}", uids=[f"1.2.3.{n}", f"1.2.3.{n}.1"]) for n in range(3)]
        found = [service.identify(question) for question in asked]
        name = tmp_path / {"uid-map": "uid_mapping.csv", "patid-map": "patid_mapping.csv"}[kind]
        rows = 6 if kind == "uid-map" else 3
        assert export(store, "P", kind, name) == rows
        with name.open(newline="") as stream:
            header, *pairs = csv.reader(stream)
        assert header == ["id_old", "id_new"]
        expected = {"PAT-1": "S-1"} if kind == "patid-map" else {"1.2.3.1.1": found[1].uids("1.2.3.1.1")}
        assert expected.items() <= dict(pairs).items()
        other = import_mappings(store, KEYS, policy("Q"), read_mappings(name))
        assert (other.uids, other.patients) == ((6, 0) if kind == "uid-map" else (0, 3))

    def test_of_one_subject(self, tmp_path, store):
        service = IdentityService(store, KEYS, policy())
        for n in range(3):
            service.identify(study(n, f"PAT-{n}", subject=f"S-{n}", uids=[f"1.2.3.{n}"]))
        assert export(store, "P", "uid-map", tmp_path / "x.csv", "S-1") == 1
        assert "1.2.3.1," in (tmp_path / "x.csv").read_text()
        with pytest.raises(RefusedError, match="No patient"):
            export(store, "P", "uid-map", tmp_path / "y.csv", "S-9")
        assert not (tmp_path / "y.csv").exists()

    def test_a_folder_that_is_not_there(self, tmp_path, store):
        with pytest.raises(RefusedError, match="cannot be written"):
            export(store, "P", "uid-map", tmp_path / "no" / "x.csv")


def test_forgetting(tmp_path, store):
    project = policy(patient="running", site="S")
    service = IdentityService(store, KEYS, project)
    for n in range(2):
        service.identify(study(n, f"PAT-{n}", uids=[f"1.2.3.{n}"], accessions=["A"]))
    assert forget(store, "P", patient_id="PAT-1") == {
        "patients": 1, "studies": 1, "accessions": 0, "uids": 1, "further_ids": 0,
    }  # fmt: skip
    assert store.counts()["P"]["patients"] == 1
    assert service.identify(study(5, "PAT-5")).subject == "S-000003", "a number is given out once"
    assert forget(store, "P", subject="S-000001")["patients"] == 1
    for nobody in ({"patient_id": "PAT-1"}, {"subject": "S-9"}, {}):
        with pytest.raises(RefusedError, match="No patient"):
            forget(store, "P", **nobody)
