"""What a ledger must do on every database."""

import multiprocessing
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import UTC, datetime, timedelta, timezone

import pytest
from sqlalchemy import inspect

from airlock.database import connect, upgrade
from airlock.errors import Cancelled, DuplicateRequest, NotPossibleNow
from airlock.ledger import UNNAMED, Counts, InstanceState, InstanceUpdate, Ledger, TransferState, deliveries
from airlock.ledger.models import Base

T = "transfer-abc"


class LedgerContract:
    """Needs the fixtures `url` (an empty database) and `ledger`."""

    @pytest.fixture
    def ledger(self, url):
        upgrade(url, "ledger")
        return Ledger(url)

    def test_migrations_make_the_tables_of_the_models(self, url):
        for _ in range(2):
            upgrade(url, "ledger")
        found = inspect(connect(url))
        assert set(Base.metadata.tables) <= set(found.get_table_names())
        for name, table in Base.metadata.tables.items():
            columns = {column["name"]: column for column in found.get_columns(name)}
            assert set(columns) == set(table.columns.keys())
            assert {n for n, c in columns.items() if c["nullable"]} == {c.name for c in table.columns if c.nullable}
            indexed = {tuple(index["column_names"]) for index in found.get_indexes(name)}
            assert {tuple(column.name for column in index.columns) for index in table.indexes} <= indexed

    def test_threads_that_migrate_together_take_turns(self, url):
        with ThreadPoolExecutor(3) as pool:
            list(pool.map(lambda _: upgrade(url, "ledger"), range(3)))
        assert Ledger(url).transfers() == []

    def test_processes_that_migrate_together_take_turns(self, url):
        context = multiprocessing.get_context("fork")
        processes = [context.Process(target=upgrade, args=(url, "ledger")) for _ in range(3)]
        for process in processes:
            process.start()
        for process in processes:
            process.join(60)
        assert [process.exitcode for process in processes] == [0, 0, 0]
        assert Ledger(url).transfers() == []

    def test_two_destinations_that_prove_the_same_instance_at_once_agree_that_it_is_sent(self, ledger, monkeypatch):
        both = ("one", "two")
        ledger.register(T)
        ledger.record(T, [InstanceUpdate(f"i-{n}", InstanceState.READY) for n in range(3)])
        ledger.consign(T, both)
        met = threading.Barrier(2)
        roll_up = deliveries._roll_up

        def together(*arguments):
            # Both have read the rows by now, unless one waits for the other, as it must.
            with suppress(threading.BrokenBarrierError):
                met.wait(0.5)
            roll_up(*arguments)

        monkeypatch.setattr(deliveries, "_roll_up", together)
        with ThreadPoolExecutor(2) as pool:
            proven = [InstanceUpdate(f"i-{n}", InstanceState.SENT) for n in range(3)]
            list(pool.map(lambda name: ledger.record_deliveries(T, name, proven, both), both))
        assert ledger.counts(T).sent == 3

    def test_transfers_by_state_and_ending(self, ledger):
        for name in ("waits", "sent", "failed"):
            ledger.register(name)
            if name != "waits":
                ledger.claim(name, name)
                ledger.move(name, TransferState(name))
        long_ago = datetime.now(UTC) - timedelta(days=30)
        ledger.describe("failed", finished_at=long_ago)
        assert [t.id for t in ledger.transfers(states=[TransferState.REQUESTED])] == ["waits"]
        assert [t.id for t in ledger.transfers(finished_since=long_ago + timedelta(days=1))] == ["sent"]
        assert ledger.transfers(states=[]) == []

    def test_a_wish_to_stop_lasts_until_the_transfer_ends(self, ledger):
        ledger.register(T)
        assert not ledger.cancel_asked(T)
        ledger.ask_cancel(T, "ford")
        ledger.claim(T, T)
        assert ledger.cancel_asked(T)
        with pytest.raises(Cancelled), ledger.stopping(T):
            raise AssertionError("it was begun")
        ledger.move(T, TransferState.CANCELLED)
        assert not ledger.cancel_asked(T)
        with pytest.raises(NotPossibleNow, match="nothing to stop"):
            ledger.ask_cancel(T, "ford")

    def test_a_request_is_registered_once(self, ledger):
        at = datetime(2026, 1, 31, 23, 30, tzinfo=timezone(timedelta(hours=2)))
        assert ledger.register(T, at, "Demo")
        assert not ledger.register(T, datetime.now(UTC), "Other")
        summary = ledger.find(T)
        assert (summary.state, summary.project, summary.attempt) == (TransferState.REQUESTED, "Demo", 1)
        assert summary.arrived_at == at
        assert summary.arrived_at.tzinfo is UTC
        assert summary.counts == Counts()
        assert ledger.find("transfer-none") is None

    def test_one_of_many_registers(self, ledger):
        with ThreadPoolExecutor(4) as pool:
            assert sum(pool.map(lambda _: ledger.register(T), range(8))) == 1

    def test_a_run_owns_its_transfer(self, ledger):
        ledger.register(T)
        assert ledger.claim(T, "run-1") is TransferState.REQUESTED
        assert ledger.claim(T, "run-1") is TransferState.RUNNING
        with pytest.raises(DuplicateRequest, match="run-1"):
            ledger.claim(T, "run-2")
        assert ledger.find(T).run_id == "run-1"

    def test_one_of_many_claims(self, ledger):
        ledger.register(T)
        owners = []

        def claim(number):
            try:
                ledger.claim(T, f"run-{number}")
            except DuplicateRequest:
                return
            owners.append(number)

        threads = [threading.Thread(target=claim, args=(number,)) for number in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(owners) == 1

    def test_moving_to_an_end(self, ledger):
        ledger.register(T)
        ledger.claim(T, "run")
        started = ledger.find(T).started_at
        assert ledger.find(T).finished_at is None
        ledger.move(T, TransferState.FAILED, "The PACS is full.")
        summary = ledger.find(T)
        assert (summary.state, summary.message) == (TransferState.FAILED, "The PACS is full.")
        assert summary.finished_at >= started
        ledger.claim(T, "run")
        assert (ledger.find(T).message, ledger.find(T).finished_at) == ("", None)

    def test_counts_add_up(self, ledger):
        ledger.register(T)
        updates = [InstanceUpdate(f"i-{n:04}", size=n, boxes=n % 3) for n in range(1200)]
        ledger.record(T, updates)
        ledger.record(T, [InstanceUpdate("i-0000", state=InstanceState.SKIPPED, reason="presentation state")])
        ledger.record(T, [InstanceUpdate("i-0001", state=InstanceState.HELD, reason="r")])
        ledger.record(T, [InstanceUpdate(f"i-{n:04}", state=InstanceState.SENT, status=0) for n in range(2, 1000)])
        counts = ledger.counts(T)
        assert counts == Counts(1200, 998, 1, 1, 1200) == ledger.find(T).counts
        assert counts.open == 200
        (skipped,) = ledger.instances(T, InstanceState.SKIPPED)
        assert (skipped.id, skipped.size, skipped.reason) == ("i-0000", 0, "presentation state")
        assert len(ledger.instances(T)) == 1200
        assert ledger.counts("transfer-other") == Counts()

    def test_an_update_leaves_what_it_does_not_know(self, ledger):
        ledger.register(T)
        full = InstanceUpdate("i-1", InstanceState.READY, "", 9, "d", "1.2.840.10008.5.1.4.1.1.4", "2.25.1", "p", 1, 0)
        ledger.record(T, [full])
        ledger.record(T, [InstanceUpdate("i-1", state=InstanceState.SENT)])
        (found,) = ledger.instances(T)
        assert found == InstanceUpdate(**{**full.__dict__, "state": InstanceState.SENT})
        ledger.record(T, [InstanceUpdate("i-1", boxes=2), InstanceUpdate("i-1", boxes=3)])
        assert ledger.instances(T)[0].boxes == 3

    def test_an_ending_holds_what_is_open_and_a_new_try_resumes_it(self, ledger):
        ledger.register(T)
        ledger.claim(T, "run")
        states = dict(zip("abcdef", InstanceState, strict=True))
        ledger.record(T, [InstanceUpdate(name, state=state) for name, state in states.items()])
        ledger.hold_open(T, "the transfer failed")
        ledger.move(T, TransferState.FAILED, "m")
        counts = ledger.counts(T)
        assert (counts.received, counts.sent, counts.skipped, counts.held, counts.open) == (6, 1, 1, 4, 0)
        ledger.resume(T)
        assert {i.id: i.state for i in ledger.instances(T)} == states
        assert ledger.find(T).state is TransferState.RUNNING
        assert ledger.find(T).message == ""

    def test_a_new_attempt_forgets_the_instances_not_the_events(self, ledger):
        ledger.register(T)
        ledger.describe(T, expected=3, policy_digest="d")
        ledger.record(T, [InstanceUpdate("i-1")])
        ledger.event(T, "pull", "started", expected=3)
        ledger.event(T, "pull", "finished")
        ledger.restart(T)
        summary = ledger.find(T)
        assert (summary.attempt, summary.expected, summary.counts) == (2, None, Counts())
        assert [(step, kind, detail) for _, step, kind, detail in ledger.events(T)] == [
            ("pull", "started", {"expected": 3}),
            ("pull", "finished", {}),
        ]

    def test_transfers_of_a_time(self, ledger):
        noon = datetime(2026, 1, 31, 12, tzinfo=UTC)
        for hours in (2, 0, 1):
            ledger.register(f"t-{hours}", noon + timedelta(hours=hours))
        assert [t.id for t in ledger.transfers()] == ["t-0", "t-1", "t-2"]
        hour = timedelta(hours=1)
        assert [t.id for t in ledger.transfers(noon + hour, noon + 2 * hour)] == ["t-1"]
        assert [t.id for t in ledger.transfers(limit=2)] == ["t-0", "t-1"]

    def test_states_lead_only_where_they_may(self, ledger):
        ledger.register(T)
        ledger.claim(T, "run")
        ledger.move(T, TransferState.SENT)
        ledger.move(T, TransferState.SENT)
        with pytest.raises(NotPossibleNow, match="sent; from there it cannot become failed"):
            ledger.move(T, TransferState.FAILED)
        ledger.claim(T, "run")
        ledger.move(T, TransferState.HELD)
        ledger.move(T, TransferState.WITHDRAWN)
        changes = [(d["before"], d["after"]) for _, _, kind, d in ledger.events(T) if kind == "state"]
        assert changes == [
            ("requested", "running"),
            ("running", "sent"),
            ("sent", "running"),
            ("running", "held"),
            ("held", "withdrawn"),
        ]

    @pytest.mark.parametrize(
        "statement",
        [
            "UPDATE events SET kind = 'other' WHERE step = 'two'",
            "UPDATE events SET at = '2020-01-01 00:00:00' WHERE step = 'three'",
            "DELETE FROM events WHERE step = 'two'",
            "DELETE FROM events WHERE step = 'three'",
            "UPDATE events SET step = 'four' WHERE step = 'one'",
        ],
    )
    def test_a_changed_history_is_found(self, ledger, url, statement):
        ledger.register(T)
        for step in ("one", "two", "three"):
            ledger.event(T, step, "finished", count=3, seconds=1.25)
        report = ledger.verify_chain(T)
        assert (report.events, report.problem) == (3, "")
        assert report.head == ledger.history(T)[-1].digest
        with connect(url).begin() as connection:
            connection.exec_driver_sql(statement)
        assert ledger.verify_chain(T).problem

    def test_events_of_several_processes_make_one_chain(self, ledger, url):
        ledger.register(T)
        context = multiprocessing.get_context("spawn")
        processes = [context.Process(target=append_events, args=(url, number)) for number in range(3)]
        for process in processes:
            process.start()
        for process in processes:
            process.join(60)
        report = ledger.verify_chain(T)
        assert (report.events, report.problem) == (30, "")

    def test_a_migrated_history_is_chained(self, url):
        upgrade(url, "ledger", "0001")
        with connect(url).begin() as connection:
            connection.exec_driver_sql(
                "INSERT INTO transfers (id, state, message, attempt, arrived_at) "
                "VALUES ('t', 'sent', '', 1, '2026-01-31 10:00:00')"
            )
            for number in range(2):
                connection.exec_driver_sql(
                    "INSERT INTO events (transfer_id, at, step, kind, detail) "
                    f"VALUES ('t', '2026-01-31 10:00:0{number}.25', 'send', 'finished', '{{\"sent\": {number}}}')"
                )
        upgrade(url, "ledger")
        ledger = Ledger(url)
        assert (ledger.verify_chain("t").events, ledger.verify_chain("t").problem) == (2, "")
        ledger.event("t", "send", "finished")
        assert (ledger.verify_chain("t").events, ledger.verify_chain("t").problem) == (3, "")

    def test_what_was_sent_before_destinations_were_noted_is_known(self, url):
        upgrade(url, "ledger", "0003")
        rows = {
            "a": ("sent", "", 0, None),
            "b": ("held", "the transfer ended at confirm_receipt", 0, "acknowledged"),
            "c": ("held", "refused by the destination: status 0xA900", 0xA900, None),
            "d": ("held", "not DICOM", None, None),
            "e": ("ready", "", None, None),
        }
        with connect(url).begin() as connection:
            connection.exec_driver_sql(
                "INSERT INTO transfers (id, state, message, attempt, arrived_at, chain_length, chain_head) "
                "VALUES ('t', 'failed', '', 1, '2026-01-31 10:00:00', 0, '')"
            )
            for name, (state, reason, status, resume) in rows.items():
                values = ", ".join("NULL" if v is None else repr(v) for v in (name, state, reason, status, resume))
                connection.exec_driver_sql(
                    "INSERT INTO instances (transfer_id, boxes, id, state, reason, status, resume_state) "
                    f"VALUES ('t', 0, {values})"
                )
        upgrade(url, "ledger")
        ledger = Ledger(url)
        known = {i.id: (i.state, i.status) for i in ledger.deliveries("t", UNNAMED)}
        assert known == {"a": ("sent", 0), "b": ("acknowledged", 0), "c": ("held", 0xA900)}
        ledger.resume("t")
        ledger.consign("t", ["one"])
        going = {i.id: i.state for i in ledger.deliveries("t", "one", *InstanceState)}
        assert going == {"a": "sent", "b": "acknowledged", "c": "held", "e": "ready"}
        assert ledger.destinations() == {"one": dict.fromkeys(going.values(), 1)}

    def test_an_instance_is_what_its_deliveries_make_of_it(self, ledger):
        ready, acknowledged = InstanceState.READY, InstanceState.ACKNOWLEDGED
        ledger.register(T)
        ledger.record(T, [InstanceUpdate(name, ready) for name in ("a", "b")])
        both = ("one", "two")

        def tell(destination, name, state, **columns):
            ledger.record_deliveries(T, destination, [InstanceUpdate(name, state, **columns)], both)
            return next((i.state, i.reason, i.status) for i in ledger.instances(T) if i.id == name)

        ledger.consign(T, both)
        assert tell("one", "a", InstanceState.HELD, reason="refused", status=0xA900) == (ready, "", None)
        assert tell("two", "a", acknowledged, status=0) == (InstanceState.HELD, "one: refused", 0xA900)
        assert tell("one", "a", acknowledged, reason="", status=0xB000) == (acknowledged, "", 0xB000)
        assert tell("two", "a", InstanceState.SENT) == (acknowledged, "", 0xB000)
        assert tell("one", "a", InstanceState.SENT) == (InstanceState.SENT, "", 0xB000)
        # a step before made a new file of it: it goes to both again
        ledger.record(T, [InstanceUpdate("a", ready)])
        ledger.consign(T, both)
        assert [i.id for i in ledger.deliveries(T, "two", ready)] == ["a", "b"]
        # what an earlier step holds goes nowhere
        ledger.record(T, [InstanceUpdate("b", InstanceState.HELD, reason="an identifier")])
        ledger.consign(T, (*both, "three"))
        for destination in (*both, "three"):
            assert [i.id for i in ledger.deliveries(T, destination, ready)] == ["a"]
        ledger.restart(T)
        assert ledger.destinations(T) == {}

    def test_a_status_is_owed_until_it_is_confirmed(self, ledger):
        ledger.register(T)
        statuses = ledger.statuses
        statuses.owe(T, {"state": "running"})
        (first,) = statuses.owed()
        statuses.postpone(first, "down", datetime.now(UTC) + timedelta(hours=1))
        assert statuses.owed(due=datetime.now(UTC)) == []
        (waiting,) = statuses.owed(T)
        assert (waiting.attempts, waiting.problem) == (1, "down")
        statuses.owe(T, {"state": "sent"})
        (second,) = statuses.owed(due=datetime.now(UTC))
        assert (second.outcome, second.attempts) == ({"state": "sent"}, 0)
        statuses.confirmed(second)
        assert statuses.owed() == []

    def test_a_late_answer_to_an_old_status_makes_the_new_one_owed_again(self, ledger):
        """What two processes tell at once may arrive in the wrong order; then the newest is told once more."""
        ledger.register(T)
        statuses = ledger.statuses
        statuses.owe(T, {"state": "running"})
        (old,) = statuses.owed()
        statuses.owe(T, {"state": "sent"})
        (new,) = statuses.owed()
        statuses.confirmed(new)
        statuses.confirmed(old)
        (again,) = statuses.owed()
        assert again.outcome == {"state": "sent"}


def append_events(url, number):
    for _ in range(10):
        Ledger(url).event(T, f"step-{number}", "finished")
