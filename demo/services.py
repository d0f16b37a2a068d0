"""Long-running programs, each in a process group of its own, found again by its pid file."""

from __future__ import annotations

import os
import random
import signal
import socket
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from time import monotonic, sleep

_PORTS = range(15000, 32768)
"""Below those that Linux gives to whoever connects (`ip_local_port_range`): one of them may be taken at any moment."""


def free_port(preferred: int | None = None) -> int:
    """Return a free TCP port of the loopback interface, the preferred one if nobody has it."""
    # Not a generator that a test may have seeded: programs that run beside each other would choose the same.
    chosen = random.SystemRandom().sample(_PORTS, 100)
    for port in [preferred, *chosen] if preferred else chosen:
        with socket.socket() as probe, suppress(OSError):
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(("127.0.0.1", port))
            return port
    raise OSError("no free port on the loopback interface")


def _started_at(pid: int) -> str | None:
    """Return when a process was started (clock ticks since boot), so that a reused pid is not mistaken for it."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text("utf-8", errors="replace")
    except OSError:
        return None
    fields = stat.rpartition(")")[2].split()
    return None if fields[0] == "Z" else fields[19]


@dataclass(frozen=True)
class Services:
    """The programs of one installation.

    :param folder: holds `run/<name>.pid` and `log/<name>.log`.
    """

    folder: Path

    def start(self, name: str, command: Sequence[str], environment: Mapping[str, str], cwd: Path | None = None) -> int:
        """Start a program in its own session; return its pid. A program that runs already is left alone."""
        running = self.pid(name)
        if running is not None:
            return running
        for sub in ("run", "log"):
            (self.folder / sub).mkdir(parents=True, exist_ok=True, mode=0o700)
        with (self.folder / "log" / f"{name}.log").open("ab") as log:
            process = subprocess.Popen(
                list(command),
                env=dict(environment),
                cwd=cwd,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self._pid_file(name).write_text(f"{process.pid} {_started_at(process.pid)}\n")
        return process.pid

    def pid(self, name: str) -> int | None:
        """Return the pid of a running program, or None."""
        try:
            pid, started = self._pid_file(name).read_text().split()
        except (OSError, ValueError):
            return None
        return int(pid) if _started_at(int(pid)) == started else None

    def names(self) -> list[str]:
        """Names of the programs that were started and not stopped."""
        return sorted(path.stem for path in (self.folder / "run").glob("*.pid"))

    def log_tail(self, name: str, lines: int = 15) -> str:
        """Return the last lines of a program's log."""
        try:
            text = (self.folder / "log" / f"{name}.log").read_text("utf-8", errors="replace")
        except OSError:
            return ""
        return "\n".join(text.splitlines()[-lines:])

    def stop(self, *names: str, patience: float = 15.0) -> list[str]:
        """End programs and all their children; return the names of those that ran.

        :param patience: seconds between the polite and the final signal.
        """
        groups = {name: pid for name in (names or self.names()) if (pid := self.pid(name)) is not None}
        for number in (signal.SIGTERM, signal.SIGKILL):
            for pid in groups.values():
                with suppress(ProcessLookupError):
                    os.killpg(pid, number)
            end = monotonic() + patience
            while any(map(_group_alive, groups.values())) and monotonic() < end:
                sleep(0.1)
        for name in names or self.names():
            self._pid_file(name).unlink(missing_ok=True)
        return sorted(groups)

    def _pid_file(self, name: str) -> Path:
        return self.folder / "run" / f"{name}.pid"


def _group_alive(group: int) -> bool:
    with suppress(ChildProcessError):
        os.waitpid(group, os.WNOHANG)
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError, IndexError):
            fields = stat.read_text("utf-8", errors="replace").rpartition(")")[2].split()
            if fields[2] == str(group) and fields[0] != "Z":
                return True
    return False
