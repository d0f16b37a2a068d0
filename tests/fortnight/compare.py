"""Whether ledger, REDCap, research PACS, archives and Airflow agree on every request."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

from airlock.report.audit import audit
from airlock.transfer import open_ledger
from tests.commands import airlock
from tests.fortnight import doors
from tests.fortnight.found import Found
from tests.fortnight.scenario import AUTO, Case
from tests.fortnight.world import World

GOOD = ("sent", "empty", "prepared")
STEPS = ("accept_request", "wait_for_study", "pull_study", "screen_instances", "detect_burned_in_text", "deidentify")
STEPS_SENT = (*STEPS, "verify_output", "send_to_research", "confirm_receipt", "update_redcap", "archive_request")


def compare(world: World, cases: list[Case], found: Found) -> list[str]:
    """Return every disagreement; none when all is well."""
    problems = [f"{case.name}: {problem}" for case in cases for problem in _of_case(world, case, found)]
    return problems + list(_of_all(world, cases, found))


def _of_case(world: World, case: Case, found: Found) -> Iterator[str]:
    yield from case.notes
    if case.twist == "bad":
        yield from _bad(case, found)
        return
    row = found.transfers.get(case.transfer_id)
    if row is None:
        yield "the ledger does not know it"
        return
    yield from _ledger(case, found)
    yield from _archives(case, found)
    yield from _redcap(case, found)
    yield from _pacs(case, found)
    yield from _report(world, case)


def _bad(case: Case, found: Found) -> Iterator[str]:
    if case.transfer_id in found.transfers:
        yield "what is no request became a transfer"
    if case.door == "file" and not found.failed["", "", f"{doors.request_of(case).file_name}_fail.log"]:
        yield "the file is not among the failed ones"


def _ledger(case: Case, found: Found) -> Iterator[str]:
    row, endings = found.transfers[case.transfer_id], found.endings.get(case.transfer_id, [])
    if row["state"] != case.state:
        yield f"the ledger says {row['state']}: {row['message']}; it should be {case.state}"
    if row["attempt"] != case.attempts:
        yield f"{row['attempt']} attempts instead of {case.attempts}"
    expected = case.attempts + (case.state == "withdrawn")
    if len(endings) != expected or (endings and endings[-1] != row["state"]):
        yield f"its endings are {', '.join(endings) or 'none'}; there should be {expected}"
    counts = found.instances.get(case.transfer_id, {})
    if sum(counts.get(state, 0) for state in ("sent", "skipped", "held")) != sum(counts.values()):
        yield f"instances are left open: {dict(counts)}"
    if case.state in ("sent", "withdrawn") and counts.get("sent", 0) != case.instances:
        yield f"the ledger has {counts.get('sent', 0)} instances sent, not {case.instances}"
    run = found.runs.get(row["run_id"])
    wanted = "success" if case.state in (*GOOD, "withdrawn") else "failed"
    if run != wanted:
        yield f"its run is {run}, not {wanted}"


def _archives(case: Case, found: Found) -> Iterator[str]:
    request = doors.request_of(case)
    wish = (request.study_instance_uid, request.transfer_project_name, request.transfer_name)
    endings = [state for state in found.endings.get(case.transfer_id, []) if state != "withdrawn"]
    good = sum(state in GOOD for state in endings)
    for what, archive, expected in (
        ("went well", found.done, good),
        ("failed", found.failed, len(endings) - good),
        ("were duplicates", found.duplicates, case.duplicates),
    ):
        if archive[wish] != expected:
            yield f"{archive[wish]} archives say that they {what}, not {expected}"


def _redcap(case: Case, found: Found) -> Iterator[str]:
    request = doors.request_of(case)
    row = found.rows.get((request.study_instance_uid, str(request.redcap_repeat_instance)))
    if case.state == "prepared":
        if row is not None:
            yield "REDCap was told of a dry run"
        return
    if row is None or not row["transfer_date"]:
        yield "REDCap has no date of its end"
        return
    complete = "2" if case.state in ("sent", "empty") else "1"
    if row["transfers_complete"] != complete:
        yield f"REDCap says complete {row['transfers_complete']}, not {complete}"
    state = json.loads(row["transfer_error_message"] or '{"state": "sent"}').get("state")
    if state != case.state:
        yield f"REDCap says {state}: {row['transfer_error_message']}"
    if case.state == "sent":
        uids = [uid for uid in row["transfer_mapped_uid"].split(",") if uid]
        here = {uid: found.studies[uid] for uid in uids if uid in found.studies}
        if len(uids) != 1 or sum(count for _, count in here.values()) != case.sent:
            yield f"REDCap names {len(uids)} studies, of which the research PACS has {list(here.values())}"


def _pacs(case: Case, found: Found) -> Iterator[str]:
    if case.project == AUTO:
        return
    there = [count for patient, count in found.studies.values() if patient == case.subject]
    if sum(there) != case.sent or len(there) != bool(case.sent):
        yield f"the research PACS has {there} instances of its subject, not {case.sent}"


def _report(world: World, case: Case) -> Iterator[str]:
    facts = audit(open_ledger(world.settings), case.transfer_id)
    if facts["chain"]["problem"]:
        yield f"its audit: {facts['chain']['problem']}"
    if facts["redcap_owed"]:
        yield f"REDCap is still owed a status: {facts['redcap_owed']}"
    finished = {step["step"] for step in facts["steps"] if step["ended"] == "finished"}
    if case.state in ("sent", "withdrawn"):
        lacking = [step for step in STEPS_SENT if step not in finished]
        stored = [i for i in facts["instances"] if (i["state"], i["c_store_status"]) == ("sent", "0x0000")]
        if lacking or len(stored) != len(facts["instances"]) or len(stored) != case.instances:
            yield f"its report lacks the steps {lacking}; {len(stored)} instances are proven stored"
    # Who is cancelled before the request was accepted has none.
    accepted = case.state != "cancelled" or "accept_request" in finished
    if case.twist != "unknown project" and accepted and not facts["policy_digest"]:
        yield "its report names no policy"
    if not all(facts[name] for name in ("run", "arrived_at", "started_at", "finished_at", "outcome")):
        yield "its report lacks times or its run"


def _of_all(world: World, cases: list[Case], found: Found) -> Iterator[str]:
    if unknown := found.transfers.keys() - {case.transfer_id for case in cases}:
        yield f"the ledger has {len(unknown)} transfers that nobody asked for"
    patients = {patient for patient, _ in found.studies.values()}
    ours = {case.subject for case in cases if case.sent and case.project != AUTO}
    automatic = {patient for patient in patients if re.fullmatch("AUTO-[0-9]{5}", patient)}
    wanted = sum(case.project == AUTO and case.sent > 0 for case in cases)
    if patients - ours - automatic:
        yield f"the research PACS has patients that nobody sent: {sorted(patients - ours - automatic)}"
    if len(automatic) != wanted:
        yield f"{len(automatic)} automatic ids were given, not {wanted}"
    total = sum(count for _, count in found.studies.values())
    if total != sum(case.sent for case in cases):
        yield f"the research PACS has {total} instances, not {sum(case.sent for case in cases)}"
    if found.owed:
        yield f"REDCap is owed {found.owed} statuses"
    if found.left:
        yield f"{len(found.left)} files are left in the drop folder"
    ended = airlock("audit", "verify")
    if ended.status or "0 changed" not in ended.stdout:
        yield f"airlock audit verify: {ended.stdout.strip()[-200:]}"
