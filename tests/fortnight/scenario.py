"""What is asked for in the two weeks: by which door each request comes, and what happens to it on the way."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from airlock.request import TransferRequest
from demo.phantoms import Patient

DOORS = ("file", "redcap", "rest", "page", "csv", "route", "coupling", "pacs", "batch")
FOREVER, DEMO = "fn-forever", "demo"
CLOSED, CLOSING, NO_PR, AUTO = "fn-closed", "fn-closing", "fn-no-pr", "fn-auto"

# What happens to a request, how often of 100, and by which doors that can be.
TWISTS: dict[str, tuple[int, Sequence[str]]] = {
    "plain": (40, DOORS),
    "twice": (6, ("file", "rest")),
    "again": (8, ("file", "redcap", "csv", "route")),
    "late": (8, ("file", "redcap", "route", "pacs")),
    "two projects": (6, ("file", "redcap", "coupling")),
    "automatic id": (4, ("file", "route")),
    "expired": (3, ("file", "redcap")),
    "closing": (4, ("file", "redcap")),
    "unknown project": (2, ("file", "redcap")),
    "cancelled": (3, ("file", "page")),
    "cancelled, then again": (3, ("file",)),
    "missing": (2, ("file", "redcap")),
    "held": (2, ("file",)),
    "empty": (2, ("file", "redcap")),
    "dry run": (2, ("file",)),
    "withdrawn": (3, ("file", "redcap")),
    "bad": (2, ("file", "redcap", "csv")),
}


@dataclass
class Case:
    """One wish for a transfer.

    :param instances: how many the study has when it is asked for.
    :param request: what it becomes; None for what is no request.
    :param state: how it must end, as the ledger names it.
    :param sent: how many instances the research PACS must have in the end.
    :param attempts: how often the transfer must have been done.
    """

    number: int
    door: str
    twist: str
    project: str
    subject: str
    patient: Patient
    instances: int
    request: TransferRequest | None = None
    transfer_id: str = ""
    state: str = "sent"
    sent: int = 0
    attempts: int = 1
    duplicates: int = 0
    instance: int = 1
    done: bool = False
    notes: list[str] = field(default_factory=list)

    @property
    def name(self) -> str:
        """What the driver calls it."""
        return f"{self.number:03} {self.door}, {self.twist}"


def make_scenario(count: int, seed: int, only: str = "") -> list[Case]:
    """Return the cases, in the order in which they are asked for.

    Every twist occurs once before any occurs by chance, and its doors take turns.

    :param only: the one twist that there is, to measure how fast transfers go.
    """
    dice = random.Random(seed)
    weights = [weight for weight, _ in TWISTS.values()]
    twists = [*TWISTS, *dice.choices(list(TWISTS), weights, k=max(0, count - len(TWISTS)))][:count]
    twists = [only] * count if only else twists
    turns = dict.fromkeys(TWISTS, 0)
    cases: list[Case] = []
    for number, twist in enumerate(twists):
        doors = TWISTS[twist][1]
        door = doors[turns[twist] % len(doors)]
        turns[twist] += 1
        patient = Patient.invent(20_000 + 1000 * seed + number)
        case = _case(number, door, twist, patient, dice.choice((1, 1, 2)))
        cases += [case, _twin(case)] if twist == "two projects" else [case]
    dice.shuffle(cases)
    # Half of what is asked for from a project whose approval ends comes before that, half after it.
    closing, early = [case for case in cases if case.twist == "closing"], early_half(cases)
    return [*early, *(case for case in cases if case.twist != "closing"), *closing[len(early) :]]


def early_half(cases: Sequence[Case]) -> list[Case]:
    """Return what is asked for while the project `CLOSING` is open."""
    closing = [case for case in cases if case.twist == "closing"]
    return closing[: (len(closing) + 1) // 2]


def _twin(case: Case) -> Case:
    """Return a request for the same study by another project."""
    return replace(case, project=DEMO, subject=f"{case.subject}-B", instance=2, notes=[])


def _case(number: int, door: str, twist: str, patient: Patient, instances: int) -> Case:
    project = {
        "automatic id": AUTO,
        "expired": CLOSED,
        "closing": CLOSING,
        "empty": NO_PR,
        "unknown project": "fn-nobody-knows",
    }.get(twist, FOREVER)
    case = Case(number, door, twist, project, f"FN-{number:04}", patient, instances)
    case.state = {
        "expired": "refused",
        "unknown project": "refused",
        "cancelled": "cancelled",
        "missing": "failed",
        "held": "held",
        "empty": "empty",
        "dry run": "prepared",
        "withdrawn": "withdrawn",
        "bad": "",
    }.get(twist, "sent")
    case.sent = case.instances if case.state == "sent" else 0
    return case
