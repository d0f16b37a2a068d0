"""Containers that can do one thing only: what seals them, and a hook of a project in one."""

from __future__ import annotations

import os
from functools import partial
from math import ceil
from time import monotonic
from typing import TYPE_CHECKING

from airflow.providers.docker.hooks.docker import DockerHook
from airflow.sdk.exceptions import AirflowException
from docker.errors import APIError, DockerException
from docker.types import LogConfig, Mount
from requests.exceptions import ConnectionError as NoConnection
from requests.exceptions import ReadTimeout

from airlock.errors import PeerUnavailable, UnexpectedFailure
from airlock.hooks import INSIDE, ContainerHook, HookCall, check_left_behind, ending_of

if TYPE_CHECKING:
    from docker import APIClient

    from airlock.transfer import Transfer

TRANSFER_LABEL = "airlock.transfer"


def seal(client: APIClient) -> APIClient:
    """Give every container of a client the restrictions that DockerOperator has no parameters for.

    Read-only root, no capabilities, no new privileges, bounded processes. Network, memory, user and mounts are given
    with each container.
    """
    restricted = partial(
        client.create_host_config,
        cap_drop=["ALL"],
        read_only=True,
        security_opt=["no-new-privileges:true"],
        pids_limit=256,
        tmpfs={"/tmp": "size=256m,noexec,nosuid"},  # noqa: S108 - the container's own
    )
    setattr(client, "create_host_config", restricted)  # noqa: B010 - the one public seam DockerOperator leaves
    return client


def own_user() -> str:
    """Return the user of a container whose files are to be Airlock's own."""
    return f"{os.getuid()}:{os.getgid()}"


def remove_leftovers(client: APIClient, transfer_id: str) -> None:
    """Remove containers that a killed try of a transfer left running."""
    for container in client.containers(all=True, filters={"label": f"{TRANSFER_LABEL}={transfer_id}"}):
        client.remove_container(container["Id"], force=True)


def digest_of(client: APIClient, image: str, remedy: str) -> str:
    """Return the digest of an image of this machine; a name such as `latest` says nothing later.

    :raises PeerUnavailable: when it is not here.
    """
    found = client.images(name=image)
    if not found:
        raise PeerUnavailable(f"The image {image} is not here. {remedy}")
    return str(found[0]["Id"])


def run_hook(transfer: Transfer, hook: ContainerHook, call: HookCall) -> str:
    """Run a hook in a container to its end; return the digest of its image.

    Only the folder of de-identified files is mounted. What it prints is kept nowhere: nobody knows what it holds.

    :raises AirlockError: as its exit code says, or when it cannot be run, or takes too long.
    """
    try:
        client = seal(_connect())
        remove_leftovers(client, transfer.id)
        digest = digest_of(client, hook.image, "Get it with: docker pull (or load) on this machine.")
        code = _run(client, digest, transfer, hook, call)
    except (DockerException, AirflowException, NoConnection, OSError) as error:
        raise PeerUnavailable(
            f"The Docker engine did not run the hook {hook.image} ({type(error).__name__}). Start it, see that this "
            "user may use it (docker ps), and that the image can be run; then clear this task."
        ) from None
    if hook.write:
        check_left_behind(call.folder)
    if (failure := ending_of(hook, code)) is not None:
        raise failure
    return digest


def _connect() -> APIClient:
    url = os.environ.get("DOCKER_HOST") or "unix://var/run/docker.sock"
    return DockerHook(docker_conn_id=None, base_url=url).api_client


def _run(client: APIClient, digest: str, transfer: Transfer, hook: ContainerHook, call: HookCall) -> int:
    """Return the exit code. The container is gone afterwards, however it ended."""
    settings = transfer.settings
    mount = Mount(INSIDE, str(call.folder), type="bind", read_only=not hook.write)
    host_config = client.create_host_config(
        mounts=[mount],
        network_mode=hook.network,
        mem_limit=settings.hook_memory,
        memswap_limit=settings.hook_memory,
        log_config=LogConfig(type=LogConfig.types.NONE),
    )
    container = client.create_container(
        digest,
        list(hook.arguments),
        environment=call.environment(),
        host_config=host_config,
        user=own_user(),
        labels={TRANSFER_LABEL: transfer.id},
    )
    limit, begun = ceil(60 * settings.hook_timeout_minutes), monotonic()
    try:
        client.start(container["Id"])
        return int(client.wait(container["Id"], timeout=limit)["StatusCode"])
    except (ReadTimeout, NoConnection):
        # An engine that went away says the same.
        if monotonic() - begun < limit:
            raise
        raise UnexpectedFailure(
            f"The hook {hook.image} was stopped: it ran for {settings.hook_timeout_minutes:g} minutes. It is tried "
            "again by itself. Make it faster, or raise AIRLOCK_HOOK_TIMEOUT_MINUTES."
        ) from None
    finally:
        _remove(client, container["Id"])


def _remove(client: APIClient, container_id: str) -> None:
    """Remove a container, running or not, unless somebody else has."""
    try:
        client.remove_container(container_id, force=True)
    except APIError as error:
        if error.status_code not in (404, 409):
            raise
