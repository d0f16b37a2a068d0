"""What an identity store must do on every database."""

import multiprocessing
import random
from collections import Counter

import pytest
from sqlalchemy import inspect, select, text

from airlock.database import connect, upgrade
from airlock.errors import HeldError, PeerUnavailable, PolicyError, RetryableError
from airlock.identity.keys import KeyRing
from airlock.identity.models import Base, PatientRow
from airlock.identity.question import Question
from airlock.identity.service import IdentityService
from airlock.identity.store import IdentityStore, open_store
from airlock.project import ProjectPolicy
from airlock.settings import Settings

KEYS = KeyRing(b"k" * 32)


def policy(name="P", shift_by="patient", **identity):
    return ProjectPolicy.model_validate({"name": name, "identity": identity, "deidentify": {"shift_by": shift_by}})


def study(number, patient="PAT-1", issuer="", subject="S-1", **more):
    return Question({(patient, issuer)}, f"1.2.3.{number}", subject, **more)


def _race(url, identity, worker, barrier, queue):
    """Identify the same four patients as the other workers do, in an order of its own, beginning at the same moment."""
    connect(url).dispose(close=False)  # the pool came with the fork; its connections are the parent's
    service = IdentityService(IdentityStore(url), KEYS, policy(**identity))
    order = [(patient, number) for patient in range(4) for number in range(3)]
    random.Random(worker).shuffle(order)
    barrier.wait(30)
    for patient, number in order:
        # Every worker's own device comes along, and one that all patients share.
        uids = [f"1.2.9.{patient}.{number}", "1.2.7.7", f"1.2.8.{worker}"]
        found = service.identify(study(f"{patient}.{number}", f"PAT-{patient}", subject=f"S-{patient}", uids=uids))
        queue.put((patient, found.subject, found.offset_days, [found.uids(uid) for uid in uids[:2]]))
    queue.put(None)


class IdentityContract:
    """Needs the fixture `url` (an empty database)."""

    @pytest.fixture
    def settings(self, url, tmp_path):
        return Settings(home=tmp_path, identity_url=url)

    @pytest.fixture
    def store(self, settings):
        return open_store(settings, KEYS)

    @pytest.fixture
    def service(self, store):
        return IdentityService(store, KEYS, policy())

    def test_migrations_make_the_tables_of_the_models(self, url):
        for _ in range(2):
            upgrade(url, "identity")
        found = inspect(connect(url))
        for name, table in Base.metadata.tables.items():
            columns = {column["name"]: column for column in found.get_columns(name)}
            assert set(columns) == set(table.columns.keys())
            assert {n for n, c in columns.items() if c["nullable"]} == {c.name for c in table.columns if c.nullable}
            unique = {tuple(u["column_names"]) for u in found.get_unique_constraints(name)}
            declared = {
                tuple(c.columns.keys()) for c in table.constraints if c.__class__.__name__ == "UniqueConstraint"
            }
            assert unique == declared

    @pytest.mark.parametrize(
        "identity", [{}, {"patient": "running", "site": "S7"}, {"patient": "pattern", "pattern": "Q[0-9]{3}"}]
    )
    def test_workers_that_meet_the_same_patients_agree(self, url, store, identity):
        context = multiprocessing.get_context("fork")
        barrier, queue = context.Barrier(3), context.Queue()
        workers = [context.Process(target=_race, args=(url, identity, n, barrier, queue)) for n in range(3)]
        for worker in workers:
            worker.start()
        answers, ended = [], 0
        while ended < len(workers):
            answer = queue.get(timeout=20)
            ended += answer is None
            answers += [answer] if answer else []
        for worker in workers:
            worker.join(30)
        assert [worker.exitcode for worker in workers] == [0, 0, 0]
        assert len(answers) == 36
        by_patient = {
            patient: {(subject, days) for p, subject, days, _ in answers if p == patient} for patient in range(4)
        }
        assert all(len(identities) == 1 for identities in by_patient.values())
        assert len({subject for ids in by_patient.values() for subject, _ in ids}) == 4
        assert len({uids[1] for *_, uids in answers}) == 1
        assert len({uids[0] for *_, uids in answers}) == 12
        assert store.counts() == {"P": {"patients": 4, "studies": 12, "accessions": 0, "uids": 12 + 1 + 3}}

    def test_constraints_hold_when_nobody_takes_turns(self, url, store, service, monkeypatch):
        """What the lock of the project prevents, the database would refuse; the loser reads again or tries again."""
        service.identify(study(1))
        monkeypatch.setattr("airlock.identity.decide.find_patient", lambda *_: None)
        with pytest.raises(HeldError, match="Another patient"):
            service.identify(study(1))
        monkeypatch.setattr("airlock.identity.decide.owner_of", lambda *_: None)
        with pytest.raises(RetryableError, match="at the same moment"):
            service.identify(study(1))
        assert store.counts()["P"]["patients"] == 1

    def test_a_patient_stays_the_same_in_every_run(self, store, service):
        first = service.identify(study(1, uids=["1.2.3.1", "1.2.3.1.1"]))
        again = IdentityService(store, KEYS, policy()).identify(study(2, uids=["1.2.3.2"]))
        assert (first.subject, first.offset_days) == (again.subject, again.offset_days)
        assert store.counts() == {"P": {"patients": 1, "studies": 2, "accessions": 0, "uids": 3}}
        assert again.uids("1.2.3.1.1") == first.uids("1.2.3.1.1")

    def test_projects_share_nothing(self, store):
        asked = study(1, uids=["1.2.3.1"], accessions=["A-1"])
        p, q = (IdentityService(store, KEYS, policy(name, accession="keyed")).identify(asked) for name in "PQ")
        assert p.offset_days != q.offset_days
        assert p.uids("1.2.3.1") != q.uids("1.2.3.1")
        assert p.accessions["A-1"] != q.accessions["A-1"]

    def test_a_rotated_key_gives_nobody_a_second_identity(self, store, service):
        old = service.identify(study(1, uids=["1.2.3.1", "1.2.7"]))
        ring = KeyRing(KEYS.master, (b"n" * 32,))
        store.check_keys(ring)
        rotated = IdentityService(store, ring, policy())
        same = rotated.identify(study(2, uids=["1.2.3.2", "1.2.7"]))
        assert (same.subject, same.offset_days) == (old.subject, old.offset_days)
        assert same.uids("1.2.3.9") == old.uids("1.2.3.9")
        other = rotated.identify(study(3, "PAT-2", subject="S-2", uids=["1.2.7", "1.2.3.3"]))
        assert other.uids("1.2.7") == old.uids("1.2.7"), "a shared device keeps its UID"
        assert other.known_uids == {"1.2.7": old.uids("1.2.7")}
        assert other.uids("1.2.3.9") != old.uids("1.2.3.9")
        assert [(number, patients) for number, _, patients in store.generations()] == [(1, 1), (2, 1)]

    def test_another_key_or_another_store_is_refused(self, store, tmp_path, settings):
        with pytest.raises(PolicyError, match="another deployment key"):
            store.check_keys(KeyRing(b"x" * 32))
        store.check_keys(KeyRing(KEYS.master, (b"n" * 32,)))
        with pytest.raises(RetryableError, match="knows 2 generations"):
            store.check_keys(KEYS)
        with store.transaction() as session:
            session.execute(text("DELETE FROM key_generations"))
        with pytest.raises(PolicyError, match="Restore the store"):
            store.check_keys(KeyRing(KEYS.master, (b"n" * 32,)))

    def test_conflicts_are_held_and_explained(self, store, service):
        service.identify(study(1))
        for asked, words in (
            (study(1, "PAT-2", subject="S-2"), "another patient's"),
            (study(2, "PAT-2", subject="S-1"), "Another patient has this"),
            (study(2, subject="S-2"), "under another research subject id"),
            (Question({("PAT-1", ""), ("PAT-2", "")}, "1.2.3.9", "S-1"), "2 different PatientIDs"),
            (Question({("PAT-1", "A"), ("PAT-1", "B")}, "1.2.3.9", "S-1"), "2 different issuers"),
            (study(2, "PAT\x01", subject="S-9"), "control characters"),
        ):
            with pytest.raises(HeldError, match=words) as held:
                service.identify(asked)
            assert "PAT" not in str(held.value).replace("PatientID", "")
            assert "S-" not in str(held.value)
        assert store.counts() == {"P": {"patients": 1, "studies": 1, "accessions": 0, "uids": 0}}

    def test_issuers(self, service):
        unnamed = service.identify(study(1))
        named = service.identify(study(2, issuer="A"))
        assert named.offset_days == unnamed.offset_days
        other = service.identify(study(3, issuer="B", subject="S-2"))
        assert other.offset_days != unnamed.offset_days
        with pytest.raises(HeldError, match="2 different issuers"):
            service.identify(study(4))

    def test_a_study_without_patient_id_is_a_patient_of_its_own(self, service):
        one, two = (service.identify(study(n, "", subject=f"S-{n}")) for n in (1, 2))
        assert one.offset_days != two.offset_days
        with pytest.raises(HeldError, match="another patient's"):
            service.identify(study(1, "PAT-1", subject="S-3"))

    def test_several_subjects_where_the_project_says_so(self, store):
        service = IdentityService(store, KEYS, policy(several_subjects=True))
        found = [service.identify(study(n, subject=f"S-{n}")) for n in (1, 2, 2, 1)]
        assert [identity.subject for identity in found] == ["S-1", "S-2", "S-2", "S-1"]
        assert len({identity.offset_days for identity in found}) == 1
        with pytest.raises(HeldError, match="Another patient has"):
            service.identify(study(5, "PAT-2", subject="S-2"))

    @pytest.mark.parametrize("method", ["request", "running", "pattern", "hash"])
    def test_a_dry_run_writes_nothing(self, store, method):
        project = policy(patient=method, site="SITE", pattern="[A-Z]{4}", accession="running")
        service = IdentityService(store, KEYS, project)
        asked = study(1, uids=["1.2.3.1"], accessions=["A"])
        dry = [service.identify(asked, dry_run=True) for _ in range(2)]
        assert store.counts() == {}
        with store.transaction() as session:
            assert session.scalars(text("SELECT count(*) FROM counters")).one() == 0
        assert dry[0].subject == dry[1].subject
        wet = service.identify(asked)
        assert wet.offset_days == dry[0].offset_days
        assert wet.uids("1.2.3.1") == dry[0].uids("1.2.3.1")
        assert (wet.subject == dry[0].subject) == (method != "running")
        assert service.identify(asked, dry_run=True).subject == wet.subject

    def test_running_numbers(self, store):
        service = IdentityService(store, KEYS, policy(patient="running", site="1234"))
        found = [service.identify(study(n, f"PAT-{n % 3}")).subject for n in range(6)]
        assert found == ["1234-000001", "1234-000002", "1234-000003"] * 2

    def test_patterned_ids(self, store):
        names = ("P", "Q")
        services = [IdentityService(store, KEYS, policy(n, patient="pattern", pattern="^X-[0-9]$")) for n in names]
        found = {n: [s.identify(study(n, f"PAT-{n}")).subject for s in services] for n in range(9)}
        assert all(len({ids[i] for ids in found.values()}) == 9 for i in (0, 1))
        assert all(p != q for p, q in found.values()), "another id in another project"
        services[0].identify(study(20, "PAT-20"))
        with pytest.raises(PolicyError, match="allows too few"):
            services[0].identify(study(21, "PAT-21"))

    @pytest.mark.parametrize("method", ["keyed", "running", "fiona"])
    def test_accession_numbers_fit_and_are_unique(self, store, method):
        service = IdentityService(store, KEYS, policy(accession=method))
        long = "a much longer accession number than SH allows"
        found = [
            service.identify(
                study(n, f"PAT-{n}", subject=f"S-{n}", accessions=[long + str(n), f"A{n}", " "])
            ).accessions
            for n in range(4)
        ]
        made = [new for accessions in found for new in accessions.values()]
        assert len(made) == len(set(made)) == 8
        assert all(1 <= len(new) <= 16 for new in made)
        assert service.identify(study(1, "PAT-1", subject="S-1", accessions=["A1"])).accessions == {
            "A1": found[1]["A1"]
        }

    def test_offsets_per_study_and_constant(self, store):
        service = IdentityService(store, KEYS, policy(shift_by="study"))
        days = [service.identify(study(n)).offset_days for n in (1, 2, 1)]
        assert days[0] == days[2] != days[1]
        fixed = IdentityService(store, KEYS, policy("Q", dates="constant", shift_days=42))
        assert fixed.identify(study(1)).offset_days == 42
        assert IdentityService(store, KEYS, policy("Q")).identify(study(2)).offset_days == 42, "what is known stays"

    def test_cut_all_ties_leaves_no_row(self, store):
        service = IdentityService(store, KEYS, policy(patient="cut_ties"))
        one, other = (KeyRing(bytes([n]) * 32) for n in (1, 2))
        found = [
            service.identify(study(1, uids=["1.2.3"]), one_time=lambda ring=ring: ring) for ring in (one, one, other)
        ]
        assert found[0].subject == found[1].subject != found[2].subject
        assert found[0].uids("1.2.3") == found[1].uids("1.2.3") != found[2].uids("1.2.3")
        assert store.counts() == {}

    def test_fionas_illegal_uids_need_a_decision(self, store):
        uids = [f"1.2.3.1.{n}" for n in range(40)]
        with pytest.raises(HeldError, match="of 40 new UIDs illegal"):
            IdentityService(store, KEYS, policy(uids="fiona")).identify(study(1, uids=uids))
        kept = IdentityService(store, KEYS, policy(uids="fiona", illegal_uids="keep")).identify(study(1, uids=uids))
        assert 0 < kept.illegal_uids < 20
        assert all(kept.uids(uid).startswith("1.3.6.1.4.1.45037.") for uid in uids)
        replaced = IdentityService(store, KEYS, policy("Q", uids="fiona", illegal_uids="replace"))
        found = replaced.identify(study(1, uids=uids))
        assert found.illegal_uids == 0
        assert Counter(found.uids(uid)[:5] for uid in uids)["2.25."] > 0

    def test_errors_of_the_database_say_nothing(self, store, service):
        with store.transaction() as session:
            session.execute(text("DROP TABLE aliases"))
        with pytest.raises(PeerUnavailable) as error:
            service.identify(study(1, "ZEBEDEE-77"))
        assert "ZEBEDEE" not in str(error.value)
        assert error.value.__cause__ is None
        with store.transaction() as session:
            assert session.scalars(select(PatientRow)).all() == []
