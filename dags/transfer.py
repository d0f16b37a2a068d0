"""One run per transfer request: from the clinical side to the research PACS."""

from __future__ import annotations

from itertools import pairwise

from airflow.sdk import DAG

from airlock_provider.defaults import COMPUTE_POOL, RESEARCH_POOL, STAGING_POOL, chain_defaults
from airlock_provider.form import transfer_params
from airlock_provider.notifications import TransferNotifier
from airlock_provider.operators.deliver import DeliveryOperator
from airlock_provider.operators.request import (
    AcceptRequestOperator,
    ArchiveRequestOperator,
    ReportFailureOperator,
    UpdateRedcapOperator,
)
from airlock_provider.operators.retrieve import PullOperator
from airlock_provider.operators.review import ReviewOperator
from airlock_provider.operators.rewrite import PixelRewriteOperator
from airlock_provider.operators.step import TransferStepOperator
from airlock_provider.sensors import StudySensor

RUNBOOK = """
### One run moves one study to the research side

The run id is the transfer's id; `airlock status <run id>` shows its counts and history. Runs start by themselves
from request files (DAG `intake`), from the form behind *Trigger*, or by REST.

| Task | What it does | When it fails |
| --- | --- | --- |
| `accept_request` | checks the request and its project's policy | mend the request or the policy, request again |
| `wait_for_study` | waits until the study is complete at its source | send the study again, then clear the task |
| `pull_study` | raw folder, C-MOVE, C-GET, DICOMweb; received = expected | PACS down: waits; incomplete: retried |
| `screen_instances` | skips what the project doesn't want, holds what isn't DICOM | |
| `detect_burned_in_text` | looks at every frame | *held*: nothing goes on without the detector |
| `review_findings` | asks a person about doubtful findings, if the policy says so | *held*: see the review page |
| `rewrite_pixels` | masks what was found, in a container; else skipped | start Docker, `make image` |
| `review_masked` | asks again, with the masked pictures | likewise |
| `deidentify` | PS3.15 profile of the project | |
| `verify_output` | searches every output for what is known of the patient | *held*: see the named attributes |
| `release_to_research` | asks before anything is sent, if the policy says so | likewise |
| `send_to_research` | C-STORE or STOW-RS to each destination of what it lacks | PACS down: waits; busy: retried |
| `confirm_receipt` | each destination must show every instance, or commit itself to it | likewise |
| `update_redcap` | writes the status row | REDCap down: retried by itself |
| `archive_request` | archives the request, removes the workspace | |
| `report_failure` | after any failure: REDCap told, request archived as failed | the run stays red |

**To go on after a failure, clear the failed task** (with *downstream*). Nothing that was finished is repeated, nothing
is sent twice. To do a finished transfer again from the start, clear its whole run or use the DAG `redrive`.
"""

with DAG(
    dag_id="transfer",
    dag_display_name="Transfer: one study to the research PACS",
    description="Pull, remove burned-in text, de-identify, verify, send, prove, tell REDCap",
    doc_md=RUNBOOK,
    schedule=None,
    params=transfer_params(),
    default_args=chain_defaults(),
    max_active_runs=64,
    tags=["airlock", "transfer"],
) as dag:
    # Before everything else of the chain: whoever asked sees at once that it was accepted.
    accept_request = AcceptRequestOperator(task_id="accept_request", weight_rule="downstream")
    wait_for_study = StudySensor(task_id="wait_for_study")
    pull_study = PullOperator(
        task_id="pull_study",
        step="airlock.retrieve.step:pull_study",
        room=True,
        pool=STAGING_POOL,
    )
    screen_instances = TransferStepOperator(task_id="screen_instances", step="airlock.screen.step:screen_instances")
    detect_burned_in_text = TransferStepOperator(
        task_id="detect_burned_in_text",
        step="airlock.pixels.step:detect_burned_in_text",
        ahead="airlock_provider.ahead:after_detection",
        pool=COMPUTE_POOL,
    )
    review_findings = ReviewOperator(task_id="review_findings")
    rewrite_pixels = PixelRewriteOperator(task_id="rewrite_pixels", pool=COMPUTE_POOL, trigger_rule="none_failed")
    review_masked = ReviewOperator(task_id="review_masked", trigger_rule="none_failed")
    deidentify = TransferStepOperator(
        task_id="deidentify",
        step="airlock.deid.step:deidentify",
        hooks="after_deidentify",
        room=True,
        pool=COMPUTE_POOL,
        trigger_rule="none_failed",
    )
    verify_output = TransferStepOperator(
        task_id="verify_output",
        step="airlock.verify.step:verify_output",
        ahead="airlock_provider.ahead:after_verification",
        pool=COMPUTE_POOL,
    )
    release_to_research = ReviewOperator(task_id="release_to_research")
    send_to_research = DeliveryOperator(
        task_id="send_to_research",
        step="airlock.deliver.step:send_to_research",
        pool=RESEARCH_POOL,
        not_when=("dry_run", "stop_before_send"),
        trigger_rule="none_failed",
    )
    confirm_receipt = DeliveryOperator(
        task_id="confirm_receipt",
        step="airlock.deliver.step:confirm_receipt",
        hooks="after_confirm",
        pool=RESEARCH_POOL,
    )
    update_redcap = UpdateRedcapOperator(task_id="update_redcap", trigger_rule="none_failed")
    tell = TransferNotifier()
    archive_request = ArchiveRequestOperator(
        task_id="archive_request", trigger_rule="none_failed", on_success_callback=tell
    )
    report_failure = ReportFailureOperator(
        task_id="report_failure", trigger_rule="one_failed", on_success_callback=tell
    )

    chain = [
        accept_request,
        wait_for_study,
        pull_study,
        screen_instances,
        detect_burned_in_text,
        review_findings,
        rewrite_pixels,
        review_masked,
        deidentify,
        verify_output,
        release_to_research,
        send_to_research,
        confirm_receipt,
        update_redcap,
        archive_request,
    ]
    for before, after in pairwise(chain):
        before >> after
    # `review_masked` may be skipped ahead, while pixels are still being rewritten.
    rewrite_pixels >> deidentify
    chain[:-1] >> report_failure
