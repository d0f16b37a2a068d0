"""ReviewOperator: a gate of the chain at which a person is asked, when the project's policy says so."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import conf
from airflow.providers.standard.operators.hitl import HITLOperator
from airflow.sdk import Param
from airflow.sdk.exceptions import AirflowSkipException

from airlock.errors import AirlockError
from airlock.ledger import TransferState
from airlock.quiet import guarded
from airlock.review.asked import OPTIONS, QUARANTINE, REASONS, Asked
from airlock.transfer import Transfer
from airlock_provider.context import open_transfer
from airlock_provider.operators.step import run_step

if TYPE_CHECKING:
    from airflow.sdk import Context

QUESTIONS = {
    "review_findings": "Burned-in text: what should be masked?",
    "review_masked": "Burned-in text: do the masked pictures go on?",
    "release_to_research": "Release this transfer to the research PACS?",
}


class ReviewOperator(HITLOperator):
    """Ask a person, and do what the answer says; skipped when nothing must be asked.

    While it waits it is `awaiting_input` and holds no worker. Subject, body and answer hold counts, a link and fixed
    words: whatever is in them lands in Airflow's metadata database. When nobody answers in the time that the policy
    gives, the answer is *Quarantine*.
    """

    ui_color = "#fdf3dc"

    def __init__(self, *, task_id: str, **kwargs: Any) -> None:
        # Airflow hands every operator its DAG's params; those of the question are its own.
        kwargs.pop("params", None)
        if task_id not in OPTIONS:
            raise ValueError(f"There is no gate {task_id}; there are {', '.join(OPTIONS)}.")
        super().__init__(
            task_id=task_id,
            subject=QUESTIONS[task_id],
            options=OPTIONS[task_id],
            defaults=QUARANTINE,
            params={
                "reason": Param(REASONS[0], type="string", enum=list(REASONS), title="Why"),
                "rectangles": Param(
                    "", type="string", maxLength=64, title="Digest of the rectangles (the review page fills it in)"
                ),
            },
            **kwargs,
        )

    def execute(self, context: Context) -> Any:
        """Ask, or skip."""
        with guarded():
            transfer = open_transfer(context)
        asked = self._prepare(transfer)
        if asked is None:
            raise AirflowSkipException("Nothing has to be asked here.")
        days = transfer.policy.review.timeout_days
        self.response_timeout = timedelta(days=days)
        self.subject = f"{QUESTIONS[self.task_id]} ({asked.counts['instances']} instances)"
        self.body = self._body(transfer.id, asked, days)
        with guarded():
            transfer.ledger.resume(transfer.id)
            transfer.ledger.event(transfer.id, "review", "asked", gate=self.task_id, **asked.counts)
            transfer.ledger.move(transfer.id, TransferState.REVIEW, f"{self.task_id} waits for a person's answer")
        return super().execute(context)

    def _prepare(self, transfer: Transfer) -> Asked | None:
        from airlock.review.step import prepare_review

        try:
            with guarded():
                return prepare_review(transfer, self.task_id)  # type: ignore[arg-type]  # checked in __init__
        except AirlockError as error:
            transfer.ledger.event(transfer.id, self.task_id, "failed", error=type(error).__name__, message=str(error))
            raise

    @staticmethod
    def _body(transfer_id: str, asked: Asked, days: float) -> str:
        base = (conf.get("api", "base_url", fallback="") or "").rstrip("/")
        counts = "\n".join(f"| {name.replace('_', ' ')} | {number} |" for name, number in asked.counts.items())
        return (
            f"[Look at the pictures and answer there]({base}/airlock/review/{transfer_id})\n\n"
            f"| | |\n| --- | --- |\n{counts}\n\n"
            f"Without an answer within {days:g} days the transfer goes into quarantine."
        )

    def execute_complete(self, context: Context, event: dict[str, Any]) -> dict[str, int]:
        """Do what the person decided; return numbers of what changed."""
        answer = super().execute_complete(context, event)
        with guarded():
            transfer = open_transfer(context)
        return run_step(self, transfer, context, lambda: self._apply(transfer, answer))

    def _apply(self, transfer: Transfer, answer: Any) -> dict[str, int]:
        from airlock.review.step import apply_review

        person = (answer["responded_by_user"] or {}).get("id", "")
        given = answer["params_input"]
        reason = given.get("reason", "")
        return apply_review(
            transfer,
            self.task_id,  # type: ignore[arg-type]  # checked in __init__
            option=answer["chosen_options"][0],
            person=str(person),
            reason=reason if reason in REASONS else "",
            digest=str(given.get("rectangles", "")),
        )
