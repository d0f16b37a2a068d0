"""The trigger form of the `transfer` DAG: its fields, with the same rules as a request file."""

from __future__ import annotations

from airflow.sdk import Param, get_parsing_context

from airlock.errors import PolicyError
from airlock.project import load_policies
from airlock.request.model import CONNECTION_PATTERN, TEXT_PATTERN, UID_PATTERN
from airlock.settings import load_settings


def _known_projects() -> list[str]:
    try:
        return sorted(load_policies(load_settings().projects))
    except PolicyError:
        return []  # the DAG must load; accept_request says what is wrong


def transfer_params() -> dict[str, Param]:
    """Return the form's fields, JSON Schema each. All are optional: a run that `intake` starts gives none.

    A process that runs a task gets none: they are for the form and for what the API server checks, and each of the
    DAG's operators would copy them.
    """
    if get_parsing_context().task_id is not None:
        return {}
    return {
        "study_instance_uid": Param(
            None,
            type=["null", "string"],
            pattern=UID_PATTERN,
            maxLength=64,
            title="Study Instance UID",
            description="Of the study at its source. It stays in this run's configuration; to leave no trace "
            "of it here, drop a request file instead.",
            examples=["1.2.826.0.1.3680043.8.498.1"],
        ),
        "transfer_project_name": Param(
            None,
            type=["null", "string"],
            pattern=TEXT_PATTERN,
            maxLength=64,
            title="Project",
            description="Name of a project policy.",
            examples=_known_projects(),
        ),
        "transfer_name": Param(
            None,
            type=["null", "string"],
            pattern=TEXT_PATTERN,
            maxLength=64,
            title="Research subject ID",
            description="The pseudonym the patient has in this project; becomes PatientID and PatientName. Never a "
            "real name or hospital number.",
            examples=["SUBJ-001"],
        ),
        "transfer_event_name": Param(
            None,
            type=["null", "string"],
            maxLength=64,
            title="Event",
            description="REDCap event, if the project has any.",
        ),
        "redcap_repeat_instance": Param(
            1,
            type="integer",
            minimum=1,
            title="REDCap repeat instance",
            description="Row of the transfers instrument that is told the outcome.",
        ),
        "method": Param(
            None,
            type=["null", "string"],
            enum=[None, "raw", "c-move", "c-get", "dicomweb"],
            title="Source",
            description="Where the study comes from, when not from where the project says.",
            section="Source",
        ),
        "connection": Param(
            None,
            type=["null", "string"],
            pattern=CONNECTION_PATTERN,
            maxLength=250,
            title="Source connection",
            description="Airflow connection of the PACS (type DICOM or DICOMweb).",
            section="Source",
        ),
        "dry_run": Param(
            False,
            type="boolean",
            title="Dry run",
            description="Nothing is sent, REDCap is not told.",
            section="Options",
        ),
        "stop_before_send": Param(
            False,
            type="boolean",
            title="Stop before send",
            description="The outputs stay in the workspace, to be looked at.",
            section="Options",
        ),
        "priority": Param("normal", type="string", enum=["low", "normal", "high"], title="Priority", section="Options"),
    }
