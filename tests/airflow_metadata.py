"""Airflow's metadata in memory, and an installation of Airlock on it, of which runs are made as Airflow makes them."""

from __future__ import annotations

from contextlib import contextmanager
from datetime import UTC, datetime

from tests.transfers import make_transfer

GENERAL_POOLS = ("staging_pacs", "research_pacs", "compute", "default_pool")


@contextmanager
def metadata_with(dag):
    """Airflow's metadata in memory, with a DAG and the policy of pools, as an installed distribution brings it."""
    from airflow import models, settings
    from airflow.dag_processing.collection import update_dag_parsing_results_in_db
    from airflow.models.base import Base
    from airflow.models.dagbundle import DagBundleModel
    from airflow.serialization.serialized_objects import LazyDeserializedDAG
    from sqlalchemy import create_engine
    from sqlalchemy.orm import Session
    from sqlalchemy.pool import StaticPool

    from airlock_provider import policies

    models.import_all_models()
    engine = create_engine("sqlite://", poolclass=StaticPool)
    Base.metadata.create_all(engine)
    plugins = settings.get_policy_plugin_manager()
    installed = plugins.is_registered(policies)
    policies.register()
    with Session(engine) as session:
        session.add(DagBundleModel(name="tests"))
        session.flush()
        update_dag_parsing_results_in_db("tests", None, [LazyDeserializedDAG.from_dag(dag)], {}, None, set(), session)
        session.commit()
    yield engine
    if not installed:
        plugins.unregister(policies)
    engine.dispose()


class Deployment:
    """An installation with its pools, of which runs are made as Airflow makes them."""

    def __init__(self, session, folder, policy, monkeypatch):
        self.session, self.folder = session, folder
        self.transfer = None
        self.set_policy(policy)
        monkeypatch.setattr("airlock_provider.pools.load_settings", lambda: self.transfer.settings)
        self.make_pools(*GENERAL_POOLS)

    def set_policy(self, policy):
        self.transfer = make_transfer(self.folder, policy=policy)

    def make_pools(self, *names):
        from airflow.models.pool import Pool

        for name in names:
            Pool.create_or_update_pool(name, 2, "", False, session=self.session)
        self.session.commit()

    def start(self, conf=None, run_id="run"):
        """Make a run; return it."""
        from airflow.models.serialized_dag import SerializedDagModel
        from airflow.utils.state import DagRunState
        from airflow.utils.types import DagRunTriggeredByType, DagRunType

        run = SerializedDagModel.get("transfer", session=self.session).dag.create_dagrun(
            run_id=run_id,
            run_after=datetime.now(UTC),
            conf={"transfer_id": self.transfer.id} if conf is None else conf,
            run_type=DagRunType.MANUAL,
            triggered_by=DagRunTriggeredByType.TEST,
            state=DagRunState.RUNNING,
            session=self.session,
        )
        self.session.commit()
        return run

    def pools(self, run):
        """Return the pools of the tasks that talk to a PACS, as the database has them."""
        self.session.expire_all()
        found = {ti.task_id: ti.pool for ti in run.get_task_instances(session=self.session)}
        assert found["send_to_research"] == found["confirm_receipt"]
        return found["pull_study"], found["send_to_research"]

    def task(self, run, task_id):
        return run.get_task_instance(task_id, session=self.session)
