"""Every setting of Airlock, typed, with the environment variable it is read from.

Each field `name` is read from `AIRLOCK_NAME`. Folders that are not given lie below `AIRLOCK_HOME`. One variable is
read elsewhere, so that its value is in no settings object: `AIRLOCK_KEY` (:mod:`airlock.identity.keys`, which reads
`AIRLOCK_KEY_CONNECTION` too, where no other setting is needed).
"""

from __future__ import annotations

import os
from functools import lru_cache
from pathlib import Path
from typing import Literal

from pydantic import Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from airlock.errors import PolicyError


class Settings(BaseSettings):
    """Where things are and how the machine may be used. Units are in the field names."""

    model_config = SettingsConfigDict(env_prefix="AIRLOCK_", frozen=True, extra="forbid")

    home: Path = Field(default=Path("var"), description="root of everything Airlock writes")
    proc: Path | None = Field(default=None, description="holds transfer_requests, transfers_done, transfers_fail")
    raw: Path | None = Field(default=None, description="received studies, <StudyInstanceUID>/<any depth>")
    projects: Path = Field(default=Path("config/projects"), description="project policies, <name>.yaml")
    pixel_locations: Path = Field(
        default=Path("config/pixel_locations"), description="location library: where devices write into pictures"
    )
    ledger_url: str | None = Field(default=None, description="SQLAlchemy URL of the ledger")
    key_file: Path | None = Field(default=None, description="deployment key, mode 0600, made on first start")
    key_connection: str | None = Field(
        default=None, description="Airflow connection whose password is the deployment key, in place of the file"
    )
    identity_url: str | None = Field(default=None, description="SQLAlchemy URL of the identity store")
    identity_users: str = Field(
        default="", description="accounts that may import, export and forget identities and rotate the key: a,b,c"
    )
    identity_service_token: SecretStr | None = Field(
        default=None, description="bearer token of the identity service that a project names"
    )

    rewriter: Literal["docker", "auto", "process"] = Field(
        default="docker", description="auto: the same program as a local process when no Docker engine answers"
    )
    rewriter_image: str = "airlock/pixel-rewriter:latest"
    rewriter_memory: str = "2g"
    rewriter_timeout_minutes: int = Field(default=60, ge=1)

    settle_seconds: float = Field(
        default=2.0, ge=0, description="a request file younger than this is still being written"
    )
    study_idle_seconds: float = Field(default=16.0, ge=0, description="a raw study younger than this is still arriving")
    study_wait_minutes: float = Field(default=10.0, ge=0, description="how long to wait for a study to arrive")
    redcap_connection: str | None = Field(
        default=None,
        description="Airflow connection of the REDCap where transfers are asked for; told of unknown projects too",
    )
    redcap_poll: str = Field(
        default="", description="cron expression: how often REDCap is asked for transfers; empty asks on demand only"
    )
    projects_connection: str | None = Field(
        default=None, description="Airflow connection of the REDCap project that lists the projects"
    )
    projects_sync: str = Field(
        default="", description="cron expression: how often that list is read; empty reads it on demand only"
    )
    routing: Path = Field(default=Path("config/routing.yaml"), description="table of what is routed by itself")
    coupling: Path | None = Field(default=None, description="coupling list, CSV: study or accession to subject")
    coupling_days: int = Field(default=14, ge=0, description="how long an entry of the coupling list is used")
    route_days: float = Field(default=14.0, ge=0, description="studies that changed within this time are routed")
    arrivals: str = Field(
        default="", description="cron expression: how often arrived studies are routed, and late series looked for"
    )
    late_minutes: float = Field(
        default=10.0,
        ge=0,
        description="a PACS is asked this long after a transfer if its study grew, then after twice as long; 0 never",
    )
    max_starts: int = Field(default=500, ge=1, description="transfers that one look at a door starts at most")
    destination_wait_hours: float = Field(
        default=float("inf"),
        ge=0,
        description="how long a transfer waits for a destination that is down before it fails; inf: without end",
    )
    retries: int = Field(default=4, ge=0, description="how often a task is tried again")
    retry_seconds: float = Field(default=15.0, ge=0, description="unit of the delay before a retry, doubled each time")
    keep_failed_days: float = Field(default=14.0, ge=0, description="workspaces of failed transfers are kept this long")
    mail_connection: str | None = Field(default=None, description="Airflow connection of the mail server for notices")
    page_url: str = Field(default="", description="URL of the page of transfers, as notices give it")
    deadlines: str = Field(default="0 * * * *", description="cron expression: how often overdue transfers are told")
    reconcile: str = Field(
        default="30 3 * * *", description="cron expression: how often destinations are compared with the ledger"
    )
    reconcile_days: float = Field(
        default=90.0, gt=0, description="with the studies that were requested in these days; inf: with all"
    )
    hooks: str = Field(default="", description="functions that policies may name as hooks: package.module:function,...")
    hook_images: str = Field(default="", description="images that policies may name as hooks: a,b,c; never pulled")
    hook_networks: str = Field(default="", description="networks of Docker that hooks may use after the end: a,b,c")
    hook_memory: str = Field(default="2g", description="memory of a hook's container")
    hook_timeout_minutes: float = Field(default=60.0, gt=0, description="a hook's container is stopped after this long")
    min_free_gigabytes: float = Field(
        default=2.0, ge=0, description="with less room (10^9 bytes) below AIRLOCK_HOME, no work is taken in"
    )
    workers: int = Field(default_factory=lambda: os.cpu_count() or 1, ge=1, description="processes of one step")
    engine: Literal["stream", "plain"] = Field(
        default="stream", description="plain: de-identify with pydicom alone, slowly; the same result"
    )

    @property
    def proc_folder(self) -> Path:
        """Folder of request files and their archives."""
        return self.proc or self.home / "proc"

    @property
    def drop_folder(self) -> Path:
        """Where request files are dropped."""
        return self.proc_folder / "transfer_requests"

    @property
    def raw_folder(self) -> Path:
        """Folder of received studies, one sub-folder per StudyInstanceUID."""
        return self.raw or self.home / "data" / "site" / "raw"

    @property
    def transfers_folder(self) -> Path:
        """Parent of the workspaces, one per transfer id."""
        return self.home / "transfers"

    @property
    def ledger(self) -> str:
        """SQLAlchemy URL of the ledger."""
        return self.ledger_url or f"sqlite:///{self.home.absolute() / 'ledger.db'}"

    @property
    def identity(self) -> str:
        """SQLAlchemy URL of the identity store."""
        return self.identity_url or f"sqlite:///{self.home.absolute() / 'identity' / 'identity.db'}"

    @property
    def key_path(self) -> Path:
        """File that holds the deployment key."""
        return self.key_file or self.home / "secret" / "airlock.key"


@lru_cache(maxsize=1)
def load_settings() -> Settings:
    """Read the settings from the environment, once per process.

    :raises PolicyError: when a variable has a value that cannot be used.
    """
    try:
        return Settings()
    except ValidationError as error:
        problems = "; ".join(f"AIRLOCK_{'_'.join(map(str, e['loc'])).upper()}: {e['msg']}" for e in error.errors())
        raise PolicyError(f"The environment has settings that cannot be used. {problems}") from None
