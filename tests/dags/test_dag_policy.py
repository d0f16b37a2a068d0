"""What every DAG must have, and what none may have."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

DAGS = Path(__file__).resolve().parents[2] / "dags"
EXPECTED = {
    "transfer",
    "intake",
    "redrive",
    "housekeeping",
    "statuses",
    "redcap_poll",
    "projects",
    "arrivals",
    "deadlines",
    "reconcile",
}
CHAIN = [
    "accept_request",
    "wait_for_study",
    "pull_study",
    "screen_instances",
    "detect_burned_in_text",
    "review_findings",
    "rewrite_pixels",
    "review_masked",
    "deidentify",
    "verify_output",
    "release_to_research",
    "send_to_research",
    "confirm_receipt",
    "update_redcap",
    "archive_request",
]


@pytest.fixture(scope="module")
def dags(dag_bag):
    return dag_bag.dags


def test_every_dag_loads(dag_bag):
    assert dag_bag.import_errors == {}
    assert set(dag_bag.dags) == EXPECTED


@pytest.mark.parametrize("dag_id", sorted(EXPECTED))
def test_operators_find_what_they_need(dags, dag_id):
    dag = dags[dag_id]
    assert dag.doc_md
    assert dag.tags >= {"airlock"}
    assert dag.description
    for task in dag.tasks:
        assert task.owner == "research-it"
        assert task.retries > 0
        assert task.retry_policy is not None


def test_the_chain_is_in_order(dags):
    dag = dags["transfer"]
    for before, after in zip(CHAIN, CHAIN[1:], strict=False):
        assert after in dag.get_task(before).downstream_task_ids
    assert dag.get_task("report_failure").upstream_task_ids == set(CHAIN[:-1])
    assert {t.task_id for t in dag.tasks if not t.downstream_task_ids} == {"archive_request", "report_failure"}


def test_no_step_runs_after_one_that_failed(dags):
    """What a failed step left behind must not be sent, nor told as a success (FIONA sends it)."""
    tasks = dags["transfer"].task_dict
    assert {tasks[name].trigger_rule for name in CHAIN} <= {"all_success", "none_failed"}


def test_what_is_skipped_ahead_lets_nobody_overtake(dags):
    """Tasks that are skipped by one further up end at once: whoever comes after them must wait for the others too."""
    tasks = dags["transfer"].task_dict
    assert {"rewrite_pixels", "review_masked"} <= tasks["deidentify"].upstream_task_ids
    assert "review_findings" in tasks["rewrite_pixels"].upstream_task_ids


def test_a_failure_makes_the_run_red(dags):
    """A run is judged by its leaves: `report_failure` succeeds, so `archive_request` must not run after a failure."""
    dag = dags["transfer"]
    assert dag.get_task("archive_request").trigger_rule == "none_failed"
    assert dag.get_task("report_failure").trigger_rule == "one_failed"


def test_load_is_limited_by_pools(dags):
    pools = {task.task_id: task.pool for task in dags["transfer"].tasks}
    assert {pools[t] for t in ("pull_study",)} == {"staging_pacs"}
    assert {pools[t] for t in ("send_to_research", "confirm_receipt")} == {"research_pacs"}
    assert {pools[t] for t in ("detect_burned_in_text", "rewrite_pixels", "deidentify")} == {"compute"}
    assert dags["transfer"].max_active_runs >= 64


def test_the_rewriter_is_sealed(dags):
    task = dags["transfer"].get_task("rewrite_pixels")
    assert task.network_mode == "none"
    assert task.privileged is False
    assert task.mem_limit


def test_only_periodic_dags_can_be_backfilled(dags):
    assert dags["redrive"].timetable.can_be_scheduled
    assert dags["transfer"].timetable.can_be_scheduled is False


def test_the_form_has_a_title_for_every_field(dags):
    for name, param in dags["transfer"].params.items():
        schema = dags["transfer"].params.get_param(name).schema
        assert schema.get("title"), name
        assert "type" in schema
        assert param is None or schema["type"] != "object"


@pytest.mark.parametrize("file", sorted(DAGS.glob("*.py")), ids=lambda path: path.stem)
def test_dag_files_have_no_logic(file):
    """A DAG file is the list of its steps: no conditions, and no loops but the one that chains them."""
    tree = ast.parse(file.read_text("utf-8"))
    assert not [n for n in ast.walk(tree) if isinstance(n, ast.If | ast.While | ast.Try)]
    assert sum(isinstance(n, ast.For) for n in ast.walk(tree)) <= 1


def test_every_destination_is_compared_on_its_own(dags):
    dag = dags["reconcile"]
    compare = dag.get_task("compare")
    assert compare.is_mapped
    assert compare.upstream_task_ids == {"list_destinations"}
    assert compare.pool == "research_pacs"
    assert dag.timetable.can_be_scheduled


def test_a_task_parses_the_chain_without_the_form(dag_bag, dags):
    from airflow.sdk.definitions._internal.dag_parsing_context import _airflow_parsing_context_manager

    from airlock_provider.form import transfer_params

    assert set(dags["transfer"].params) == set(transfer_params()) != set()
    with _airflow_parsing_context_manager(dag_id="transfer", task_id="deidentify"):
        assert transfer_params() == {}
