"""PixelRewriteOperator: the pixel rewriter, sealed in a container."""

from __future__ import annotations

from datetime import timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Any

from airflow.providers.docker.exceptions import DockerContainerFailedException
from airflow.providers.docker.hooks.docker import DockerHook
from airflow.providers.docker.operators.docker import DockerOperator
from airflow.sdk.exceptions import AirflowException, AirflowSkipException
from docker.errors import APIError, DockerException
from docker.types import Mount

from airlock.errors import PeerUnavailable, PixelsNotCleaned
from airlock.quiet import guarded
from airlock.settings import load_settings
from airlock.transfer import Transfer
from airlock_provider.containers import TRANSFER_LABEL, digest_of, own_user, remove_leftovers, seal
from airlock_provider.context import open_transfer
from airlock_provider.operators.step import run_step

if TYPE_CHECKING:
    from airflow.sdk import Context

    from airlock.pixels.job import RewriteJob


class PixelRewriteOperator(DockerOperator):
    """Mask the burned-in text that was found, in a container that can do nothing else.

    No network, read-only root, no capabilities, no new privileges, an ordinary user, bounded memory and processes; only
    this transfer's flagged instances (read-only) and an output folder of this try are mounted. What the container says
    of itself decides nothing: its output is checked afterwards. Without findings the task is skipped.

    `AIRLOCK_REWRITER` decides what happens where no Docker engine answers (see `airlock.settings`).
    """

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(
            image=load_settings().rewriter_image,
            network_mode="none",
            mount_tmp_dir=False,
            auto_remove="force",
            mem_limit=load_settings().rewriter_memory,
            execution_timeout=timedelta(minutes=load_settings().rewriter_timeout_minutes),
            **kwargs,
        )

    @cached_property
    def hook(self) -> DockerHook:
        """Docker hook whose containers get the restrictions that DockerOperator has no parameters for."""
        hook = super().hook
        seal(hook.api_client)
        return hook

    def execute(self, context: Context) -> Any:
        """Rewrite the flagged instances; return how many boxes were masked."""
        from airlock.pixels.job import prepare_rewrite
        from airlock.review.step import take_corrections

        with guarded():
            transfer = open_transfer(context)
            take_corrections(transfer)
            job = prepare_rewrite(transfer, attempt=context["ti"].try_number)
        if job is None:
            raise AirflowSkipException("No burned-in text to remove.")
        where = self._engine()
        return run_step(self, transfer, context, lambda: self._rewrite(transfer, job, context, where), where=where)

    def _rewrite(self, transfer: Transfer, job: RewriteJob, context: Context, where: str) -> dict[str, int]:
        from airlock.pixels.job import finish_rewrite, run_locally

        if where == "process":
            self.log.warning("No Docker engine answers: the rewriter runs as a local process (AIRLOCK_REWRITER=auto).")
            run_locally(job)
        else:
            self._run_container(transfer, job, context)
        return {"boxes": finish_rewrite(transfer, job)}

    def _engine(self) -> str:
        mode = load_settings().rewriter
        if mode == "process":
            return "process"
        try:
            self.hook.api_client.ping()
        except (DockerException, AirflowException, OSError):
            if mode == "auto":
                return "process"
            raise PeerUnavailable(
                "No Docker engine answers, and AIRLOCK_REWRITER=docker asks for one. Start it, see that this user may "
                "use it (docker ps), then clear this task."
            ) from None
        return "docker"

    def _run_container(self, transfer: Transfer, job: RewriteJob, context: Context) -> None:
        self.labels = {TRANSFER_LABEL: transfer.id}
        self.user = own_user()
        self.command = job.arguments
        self.mounts = [
            Mount("/input", str(job.input), type="bind", read_only=True),
            Mount("/output", str(job.output), type="bind"),
        ]
        remove_leftovers(self.hook.api_client, transfer.id)
        digest = digest_of(self.hook.api_client, self.image, "Build it with: make image")
        transfer.ledger.event(transfer.id, "rewrite", "container", name=self.image, image=digest)
        try:
            super().execute(context)
        except DockerContainerFailedException:
            raise PixelsNotCleaned(
                "The rewriter container failed; nothing was sent. Its report and this log say which instances."
            ) from None
        except (APIError, DockerException) as error:
            raise PeerUnavailable(f"The Docker engine did not run the rewriter ({type(error).__name__}).") from None
