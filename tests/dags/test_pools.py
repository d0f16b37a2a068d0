"""A task that talks to a PACS is in that PACS's pool, as long as there is one: seen with Airflow's own models."""

from __future__ import annotations

import logging

import pytest
import yaml

from tests.airflow_metadata import GENERAL_POOLS, Deployment, metadata_with

FORM = {"study_instance_uid": "1.2.3.4", "transfer_project_name": "Trial", "transfer_name": "T-001"}
BOTH = {
    "source": {"method": "c-move", "connection": "clinic"},
    "destinations": [{"connection": "first"}, {"connection": "second"}],
}


@pytest.fixture(scope="module")
def metadata(dag_bag):
    with metadata_with(dag_bag.dags["transfer"]) as engine:
        yield engine


@pytest.fixture
def airflow(metadata, tmp_path, monkeypatch):
    from airflow.models.base import Base
    from sqlalchemy.orm import Session

    with Session(metadata) as session:
        yield Deployment(session, tmp_path, BOTH, monkeypatch)
        session.rollback()
        for table in ("task_instance", "task_instance_note", "dag_run", "dag_run_note", "slot_pool"):
            session.execute(Base.metadata.tables[table].delete())
        session.commit()


def test_the_policy_knows_the_pools_that_the_dags_say(dag_bag):
    from airlock_provider.pools import GENERAL

    said = {
        dag_id: {task.task_id: task.pool for task in dag.tasks if task.pool != "default_pool"}
        for dag_id, dag in dag_bag.dags.items()
    }
    assert {dag_id: pools for dag_id, pools in said.items() if pools} == GENERAL


def test_without_a_pool_of_its_own_a_pacs_has_the_general_one(airflow):
    assert airflow.pools(airflow.start()) == ("staging_pacs", "research_pacs")


@pytest.mark.parametrize(
    ("made", "expected"),
    [
        (["pacs_clinic"], ("pacs_clinic", "research_pacs")),
        (["pacs_second"], ("staging_pacs", "pacs_second")),
        (["pacs_second", "pacs_first", "pacs_clinic", "pacs_other"], ("pacs_clinic", "pacs_first")),
    ],
)
def test_a_pacs_with_a_pool_of_its_own_has_that(airflow, made, expected):
    airflow.make_pools(*made)
    assert airflow.pools(airflow.start()) == expected
    # As the form, REST and Airflow's command line make one: the request is not kept yet.
    assert airflow.pools(airflow.start(FORM, "form")) == expected
    named = {**FORM, "method": "c-get", "connection": "elsewhere"}
    assert airflow.pools(airflow.start(named, "named")) == ("staging_pacs", expected[1])
    assert airflow.pools(airflow.start({**FORM, "method": "raw"}, "raw")) == ("staging_pacs", expected[1])


@pytest.mark.parametrize("conf", [{}, {"transfer_id": "transfer-none"}, {**FORM, "transfer_project_name": "Nobody"}])
def test_where_no_connection_can_be_found_out_it_is_the_general_pool(airflow, conf, caplog):
    airflow.make_pools("pacs_clinic", "pacs_first")
    assert airflow.pools(airflow.start(conf)) == ("staging_pacs", "research_pacs")
    assert "Nobody" not in caplog.text


def test_what_goes_wrong_is_told_without_its_text(airflow, caplog, monkeypatch):
    def broken(_folder):
        raise KeyError("Quillfeather^Ada")

    airflow.make_pools("pacs_clinic")
    monkeypatch.setattr("airlock_provider.pools._policies", broken)
    with caplog.at_level(logging.WARNING):
        assert airflow.pools(airflow.start()) == ("staging_pacs", "research_pacs")
    assert "pull_study stays in the pool staging_pacs: KeyError" in caplog.text
    assert "Quillfeather" not in caplog.text


def test_a_policy_that_was_changed_counts_when_a_task_is_cleared(airflow):
    from airflow.models.taskinstance import clear_task_instances
    from airflow.utils.state import TaskInstanceState

    airflow.make_pools("pacs_clinic", "pacs_new")
    run = airflow.start()
    pull = airflow.task(run, "pull_study")
    pull.state = TaskInstanceState.FAILED
    airflow.session.commit()
    airflow.set_policy({**BOTH, "source": {"method": "c-move", "connection": "new"}})
    clear_task_instances([pull], airflow.session)
    airflow.session.commit()
    assert airflow.pools(run) == ("pacs_new", "research_pacs")


@pytest.mark.parametrize("state", [None, "scheduled", "deferred", "up_for_retry", "running"])
@pytest.mark.parametrize("by", ["object", "statement"])
def test_pools_may_come_and_go_while_runs_wait(airflow, state, by):
    """The API removes one by a statement, and several as objects; the command line as an object."""
    from airflow.models.pool import Pool
    from sqlalchemy import delete

    run = airflow.start()
    airflow.task(run, "pull_study").state = state
    airflow.task(run, "send_to_research").state = state
    airflow.session.commit()
    airflow.make_pools("pacs_clinic", "pacs_second")
    assert airflow.pools(run) == ("pacs_clinic", "pacs_second")
    if by == "object":
        Pool.delete_pool("pacs_clinic", session=airflow.session)
    else:
        assert airflow.session.execute(delete(Pool).where(Pool.pool == "pacs_clinic")).rowcount == 1
    airflow.session.commit()
    assert airflow.pools(run) == ("staging_pacs", "pacs_second")
    assert airflow.session.query(Pool).filter_by(pool="pacs_clinic").count() == 0


def test_what_is_done_stays_as_it_was(airflow):
    run = airflow.start()
    airflow.task(run, "pull_study").state = "success"
    airflow.session.commit()
    airflow.make_pools("pacs_clinic")
    assert airflow.pools(run)[0] == "staging_pacs"


def test_a_change_of_the_pools_is_made_even_if_the_tasks_cannot_be_arranged(airflow, monkeypatch, caplog):
    from airflow.models.pool import Pool
    from sqlalchemy.exc import OperationalError

    from airlock_provider import policies

    def locked(_session):
        raise OperationalError("UPDATE", {}, Exception("locked"))

    monkeypatch.setattr(policies, "_misplaced", locked)
    airflow.make_pools("pacs_clinic")
    assert airflow.session.query(Pool).filter_by(pool="pacs_clinic").count() == 1
    assert "OperationalError" in caplog.text


@pytest.mark.parametrize("outcome", ["running", "success", "failed"])
def test_a_pool_that_vanished_unseen_strands_nobody(airflow, outcome):
    """As when a run is made at the moment at which its pool is removed."""
    from airflow.models.pool import Pool

    from airlock_provider.plugin import stranded

    airflow.make_pools("pacs_clinic", "pacs_first")
    run = airflow.start()
    airflow.task(run, "pull_study").state = "scheduled"
    airflow.session.commit()
    airflow.session.execute(Pool.__table__.delete().where(Pool.__table__.c.pool.like("pacs_%")))
    airflow.session.commit()
    assert airflow.pools(run) == ("pacs_clinic", "pacs_first")
    getattr(stranded, f"on_dag_run_{outcome}")(run, "")
    assert airflow.pools(run) == ("staging_pacs", "research_pacs")


def test_where_nobody_made_the_general_pools_tasks_run_all_the_same(airflow, caplog):
    from airflow.models.pool import Pool

    run = airflow.start()
    for name in GENERAL_POOLS[:-1]:
        Pool.delete_pool(name, session=airflow.session)
    airflow.session.commit()
    assert airflow.pools(run) == ("default_pool", "default_pool")
    assert {ti.pool for ti in airflow.start(run_id="next").get_task_instances(session=airflow.session)} == {
        "default_pool"
    }
    assert "There is no pool compute" in caplog.text


def test_policies_are_read_again_when_a_file_has_changed(airflow, monkeypatch):
    from airlock_provider import pools

    read = []
    monkeypatch.setattr(pools, "load_policies", lambda folder: read.append(folder) or {})
    folder = airflow.transfer.settings.projects
    pools._policies(folder)
    pools._policies(folder)
    assert len(read) <= 1
    (folder / "Another.yaml").write_text(yaml.safe_dump({"name": "Another"}))
    pools._policies(folder)
    pools._policies(folder)
    assert read[-1:] == [folder]
    assert len(read) <= 2


def test_airflow_takes_no_shortcut_around_the_policy(metadata):
    from airflow.settings import task_instance_mutation_hook

    assert task_instance_mutation_hook.is_noop is False


def test_the_plugin_brings_the_policy_where_the_package_is_not_installed():
    """Without the entry point, nothing else would say that it is not there: every task were in a general pool."""
    from importlib.util import module_from_spec, spec_from_file_location
    from pathlib import Path

    from airflow import settings

    from airlock_provider import policies

    plugins = settings.get_policy_plugin_manager()
    installed = plugins.is_registered(policies)
    if installed:
        plugins.unregister(policies)
    try:
        path = Path(__file__).parents[2] / "plugins" / "airlock_plugin.py"
        spec = spec_from_file_location("airlock_plugin_again", path)
        spec.loader.exec_module(module_from_spec(spec))
        assert plugins.is_registered(policies)
    finally:
        if not installed:
            plugins.unregister(policies)
