"""The audit of a transfer: everything the ledger knows of it, as facts and as a page for people.

It holds ids, counts, new UIDs and digests, and no patient data: it may be shown to whoever asks what happened.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from importlib.resources import files
from typing import Any

from jinja2 import Environment, StrictUndefined

from airlock.errors import InvalidRequest
from airlock.ledger import Event, InstanceUpdate, Ledger
from airlock.report.ending import outcome_line
from airlock.report.words import STEPS, meaning_of

SCHEMA = 1
NOT_COUNTED = frozenset({"seconds", "versions", "rules", "policy", "profile"})
WHAT = ("door", "gate", "answer", "reason", "count")
_PACKAGES = ("airlock", "pydicom", "pynetdicom", "rapidocr-onnxruntime", "apache-airflow")


def versions() -> dict[str, str]:
    """Return the versions of what works on a transfer, by package."""
    found = {}
    for package in _PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def audit(ledger: Ledger, transfer_id: str) -> dict[str, Any]:
    """Return the audit of a transfer as plain values; times in ISO 8601, UTC.

    :raises InvalidRequest: when the ledger does not know it.
    """
    summary = ledger.find(transfer_id)
    if summary is None:
        raise InvalidRequest("The ledger knows no such transfer. `airlock status` lists the latest ones.")
    chain, history = ledger.verify_chain(transfer_id), ledger.history(transfer_id)
    instances = ledger.instances(transfer_id)
    there = {name: ledger.deliveries(transfer_id, name) for name in ledger.destinations(transfer_id)}
    counts = summary.counts
    where = _where(instances, there)
    return {
        "schema": SCHEMA,
        "made_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "transfer": summary.id,
        "run": summary.run_id,
        "project": summary.project,
        "policy_digest": summary.policy_digest,
        "state": summary.state.value,
        "outcome": outcome_line(summary),
        "meaning": meaning_of(summary.state.value, summary.id),
        "message": summary.message,
        "attempt": summary.attempt,
        "arrived_at": _time(summary.arrived_at),
        "started_at": _time(summary.started_at),
        "finished_at": _time(summary.finished_at),
        "expected": summary.expected,
        "counts": {
            "in": counts.received,
            "sent": counts.sent,
            "skipped": counts.skipped,
            "held": counts.held,
            "open": counts.open,
            "boxes": counts.boxes,
        },
        "reasons": dict(Counter(f"{i.state}: {i.reason}" for i in instances if i.reason and i.state).most_common()),
        **_provenance(history),
        "steps": _steps(history),
        "destinations": {name: dict(Counter(i.state.value for i in of if i.state)) for name, of in there.items()},
        "instances": [_instance(instance) | {"destinations": where[instance.id]} for instance in instances],
        "redcap": [
            {"at": _time(event.at), "kind": event.kind, **event.detail} for event in history if event.step == "redcap"
        ],
        "redcap_owed": [status.problem or "not tried yet" for status in ledger.statuses.owed(transfer_id)],
        "events": [
            {"at": _time(event.at), "step": event.step, "kind": event.kind, **event.detail, "digest": event.digest}
            for event in history
        ],
        "chain": {"events": chain.events, "head": chain.head, "problem": chain.problem},
    }


def as_html(facts: dict[str, Any], pictures: str = "") -> str:
    """Return an audit as one HTML page that needs nothing else.

    :param pictures: where those who may see them find the masked pictures; empty where there is no such place.
    """
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    environment.filters["moment"] = _moment
    template = (files("airlock.report") / "audit.html").read_text("utf-8")
    masked = sum(bool(one["boxes"]) for one in facts["instances"])
    return environment.from_string(template).render(facts, pictures=pictures, masked=masked, words=STEPS)


def _moment(text: str | None) -> str:
    """Return a time for people: to the second, and with its zone."""
    return f"{datetime.fromisoformat(text).astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC" if text else ""


def _time(moment: datetime | None) -> str | None:
    return moment.isoformat(timespec="seconds") if moment else None


def _steps(history: list[Event]) -> list[dict[str, Any]]:
    """Return every try of every step: when it began, how it ended, and what it counted."""
    tries: list[dict[str, Any]] = []
    open_by_step: dict[str, dict[str, Any]] = {}
    for event in history:
        if event.kind == "started":
            row: dict[str, Any] = {
                "step": event.step,
                "at": _time(event.at),
                "ended": "not ended",
                "seconds": None,
                "told": {},
            }
            open_by_step[event.step] = row
            tries.append(row)
        elif event.kind in ("finished", "failed", "waiting") and event.step in open_by_step:
            row = open_by_step.pop(event.step)
            began = datetime.fromisoformat(str(row["at"]))
            row["ended"], row["seconds"] = event.kind, round((event.at - began).total_seconds(), 1)
            row["told"] = {name: value for name, value in event.detail.items() if name not in NOT_COUNTED}
    return tries


def _provenance(history: list[Event]) -> dict[str, Any]:
    """Return who asked and decided, the changes of state, and by which rules and programs the last attempt worked.

    :return: `people`, each event that a person or a door caused; `states`; `rules`, what the project's file and REDCap
        say, by dotted field; `profile`, edition and options of PS3.15; `versions`; `image`, the container that rewrote
        pixels; `hooks`, the project's own programs that were called.
    """
    told: dict[str, Any] = {"people": [], "states": [], "rules": {}, "profile": "", "versions": {}, "image": None}
    told["hooks"] = []
    for event in history:
        detail = event.detail
        if event.kind == "state":
            told["states"].append({"at": _time(event.at), **detail})
        elif "by" in detail or "person" in detail or event.kind in ("asked", "again"):
            who = {"at": _time(event.at), "by": detail.get("by") or detail.get("person", "")}
            what = {name: detail[name] for name in WHAT if detail.get(name)}
            told["people"].append(who | {"step": event.step, "did": event.kind} | what)
        elif "versions" in detail:
            told["rules"], told["versions"] = detail.get("rules", {}), detail["versions"]
            told["profile"] = detail.get("profile", "")
        elif event.kind == "container":
            told["image"] = detail.get("image")
        elif event.step == "hook":
            told["hooks"].append({"at": _time(event.at), "image": "", **detail})
    return told


def _where(
    instances: Iterable[InstanceUpdate], there: Mapping[str, Iterable[InstanceUpdate]]
) -> dict[str, dict[str, str]]:
    """Return state and status of each instance at each destination."""
    where: dict[str, dict[str, str]] = {instance.id: {} for instance in instances}
    for name, of_destination in there.items():
        for one in of_destination:
            status = "" if one.status is None else f" 0x{one.status:04X}"
            where[one.id][name] = f"{one.state.value if one.state else ''}{status}"
    return where


def _instance(instance: InstanceUpdate) -> dict[str, Any]:
    return {
        "instance": instance.id,
        "state": instance.state.value if instance.state else "",
        "reason": instance.reason,
        "boxes": instance.boxes,
        "bytes": instance.size,
        "sop_class_uid": instance.sop_class_uid,
        "new_sop_instance_uid": instance.sop_instance_uid,
        "c_store_status": None if instance.status is None else f"0x{instance.status:04X}",
    }
