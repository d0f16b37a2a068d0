"""What a scenario reports, and the loop that goes on after a fault as the scheduler would."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from airlock.errors import AirlockError
from airlock.ledger import InstanceState
from airlock.quiet import guarded
from airlock.transfer import Transfer
from tests.faults.redcap import Redcap


@dataclass
class Outcome:
    """What came of a scenario.

    :param errors: class of each error of a step, in order.
    :param lost: instances that the PACS, or the workspace, lacks at the end.
    :param doubled: instances that were stored twice.
    :param unproven: instances that the ledger doesn't have as proven at the end.
    :param redcap: what REDCap was told, in order.
    :param agreeing: whether its row is what the ledger says.
    :param well: whether the last step that was run ended well.
    :param told: whether the step failed over what is unproven, so that nobody takes it for sent.
    """

    injected: str
    errors: list[str] = field(default_factory=list)
    ledger: str = ""
    pacs: str = ""
    lost: int = 0
    doubled: int = 0
    unproven: int = 0
    seconds: float = 0.0
    told: bool = False
    redcap: str = ""
    agreeing: bool = True
    well: bool = False
    follower: Redcap | None = None

    @property
    def good(self) -> bool:
        return self.agreeing and not (self.lost or self.doubled or (self.unproven and not self.told))

    def follow(self, transfer: Transfer, step: str) -> None:
        """Have REDCap told of a transfer from here on."""
        if self.follower is None:
            self.follower = Redcap(transfer, step)

    def ask_redcap(self, *, ended: bool) -> None:
        """Note what REDCap was told in the end, and whether it is what the ledger says.

        :param ended: the chain's last step was among those that were done.
        """
        if self.follower is None:
            return
        if ended:
            self.follower.sent()
        self.redcap = self.follower.history()
        self.agreeing = self.follower.agrees()

    def line(self, name: str) -> str:
        errors = ", ".join(f"{n} x {kind}" if n > 1 else kind for kind, n in Counter(self.errors).items()) or "none"
        zeros = f"{self.lost} / {self.doubled} / {self.unproven}"
        end = f"{self.ledger} | {self.pacs} | {self.redcap}"
        return f"| {name} | {self.injected} | {errors} | {end} | {zeros} | {self.seconds:.1f} |"


HEAD = (
    "| | Injected | Errors of the step | Ledger at the end | PACS at the end | REDCap was told "
    "| lost / doubled / unproven | s |\n"
    "| --- | --- | --- | --- | --- | --- | --- | --- |"
)


def until_done(outcome: Outcome, step: Callable[[], object], tries: int = 6, between: Callable = lambda: None) -> bool:
    """Run a step as the scheduler would, again after each error; return whether it succeeded.

    :param between: called after each error: what a person or time would mend.
    """
    for _ in range(tries):
        if outcome.follower:
            outcome.follower.cleared()
        try:
            with guarded():
                step()
        except AirlockError as error:
            outcome.errors.append(type(error).__name__)
            if outcome.follower:
                outcome.follower.failed(error)
            between()
        else:
            outcome.well = True
            return True
    outcome.well = False
    return False


def compare(outcome: Outcome, transfer: Transfer, stored: Iterable[str], files: Iterable[str]) -> Outcome:
    """Compare a transfer that was sent with what the PACS was given.

    :param stored: SOPInstanceUID of every C-STORE that the PACS kept, in order.
    """
    kept, expected = Counter(stored), set(files)
    outcome.lost = len(expected - set(kept))
    outcome.doubled = sum(n - 1 for n in kept.values())
    outcome.unproven = len(expected) - len(transfer.ledger.instances(transfer.id, InstanceState.SENT))
    outcome.ledger = states(transfer)
    outcome.pacs = f"{len(kept)} of {len(expected)}"
    outcome.ask_redcap(ended=outcome.well)
    return outcome


def states(transfer: Transfer) -> str:
    """Count the instances of a transfer by state."""
    counted = Counter(i.state.value for i in transfer.ledger.instances(transfer.id))
    return ", ".join(f"{state} {count}" for state, count in sorted(counted.items())) or "nothing"


class Clock:
    """Measures a block into an outcome."""

    def __init__(self, outcome: Outcome) -> None:
        self._outcome = outcome

    def __enter__(self) -> None:
        self._begun = time.monotonic()

    def __exit__(self, *_: object) -> None:
        self._outcome.seconds = time.monotonic() - self._begun
