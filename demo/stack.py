"""Everything that runs in the demonstration: Airflow, two PACSs, a receiving service, the REDCap sandbox, a gate."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from time import monotonic, sleep
from typing import Any

import requests

from airlock.dicomio.peer import Peer
from airlock.workspace import write_atomically
from demo import pacs
from demo.airflow import Airflow, AirflowNotReady
from demo.enclosed import can_enclose, enclosed_command
from demo.services import Services, free_port

ROOT = Path(__file__).resolve().parent.parent
PORTS = {
    "staging": 11112,
    "staging_http": 8042,
    "research": 11114,
    "research_http": 8043,
    "gate": 11116,
    "move": 11118,
    "redcap": 8090,
}
IMAGE = "airlock/pixel-rewriter:latest"

Say = Callable[[str], None]


@dataclass
class Stack:
    """The demonstration's installation below one folder.

    :param home: `AIRLOCK_HOME`.
    :param settings: more environment variables for Airflow's components.
    """

    home: Path
    settings: dict[str, str] = field(default_factory=dict)
    airflow_port: int = 8080

    @cached_property
    def services(self) -> Services:
        """Every process of the installation."""
        return Services(self.home)

    @cached_property
    def state(self) -> dict[str, Any]:
        """Ports and the sandbox's token, chosen once."""
        path = self.home / "secret" / "demo.json"
        if path.exists():
            return dict(json.loads(path.read_text()))
        state = {name: free_port(port) for name, port in PORTS.items()}
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        content = {**state, "token": os.urandom(16).hex().upper()}
        write_atomically(path, json.dumps(content, indent=1))
        return content

    @cached_property
    def airflow(self) -> Airflow:
        """Airflow, with the demonstration's settings."""
        defaults = {
            "AIRLOCK_PROJECTS": str(self.home / "projects"),
            "AIRLOCK_REWRITER": "auto",
            "AIRLOCK_REDCAP_CONNECTION": "redcap",
            "AIRLOCK_STUDY_IDLE_SECONDS": "2",
            "AIRLOCK_RETRY_SECONDS": "2",
        }
        return Airflow(ROOT, self.home, {**defaults, **self.settings}, self.airflow_port)

    # Peers

    @property
    def staging(self) -> Peer:
        """The PACS on the clinical side."""
        return Peer(
            "127.0.0.1", self.state["staging"], "STAGING", "AIRLOCK", move_aet="AIRLOCK", move_port=self.state["move"]
        )

    @property
    def research(self) -> Peer:
        """The PACS on the research side."""
        return Peer("127.0.0.1", self.state["research"], "RESEARCH", "AIRLOCK", move_port=self.state["move"])

    @property
    def redcap_url(self) -> str:
        """API address of the REDCap sandbox."""
        return f"http://127.0.0.1:{self.state['redcap']}/api/"

    def connections(self) -> dict[str, dict[str, Any]]:
        """Return Airflow's connections to the demonstration's peers."""
        s = self.state
        staging = {"called_aet": "STAGING", "calling_aet": "AIRLOCK", "move_aet": "AIRLOCK", "move_port": s["move"]}
        research = {"called_aet": "RESEARCH", "calling_aet": "AIRLOCK"}
        local = {"conn_type": "dicom", "host": "127.0.0.1"}
        return {
            "staging_pacs": {**local, "port": s["staging"], "extra": staging},
            "research_pacs": {**local, "port": s["research"], "extra": research},
            "research_pacs_gate": {**local, "port": s["gate"], "extra": research},
            "redcap": {"conn_type": "redcap", "host": self.redcap_url, "password": s["token"]},
        }

    # Start and stop

    def start(self, say: Say) -> None:
        """Start what doesn't run yet."""
        self._install_projects()
        for folder in ("proc/transfer_requests", "data/site/raw"):
            (self.home / folder).mkdir(parents=True, exist_ok=True, mode=0o700)
        self.start_receiver(say)
        self.start_pacs("staging", say)
        self.start_pacs("research", say)
        self.start_redcap(say)
        say("Airflow is starting (about half a minute) ...")
        self.airflow.start(self.connections())
        self.airflow.wait_for_dags("intake", "transfer", "redrive", "housekeeping", "statuses", "redcap_poll")
        say(f"Airflow is up at {self.airflow.url}")

    def start_receiver(self, say: Say) -> None:
        """Start the service that receives what the PACSs send for pulls by C-MOVE, which then share its port."""
        port = self.state["move"]
        options = ["--aet", "AIRLOCK", "--port", str(port), "--caller", "STAGING", "--caller", "RESEARCH"]
        command = [sys.executable, "-c", "from airlock.cli import main; main()", "scp", "--moves", *options]
        self.services.start("receiver", command, self._python_environment, cwd=ROOT)
        self._wait_for("receiver", lambda: pacs.answers(Peer("127.0.0.1", port, "AIRLOCK", "STAGING")))
        say(f"Receiving service for C-MOVE: AIRLOCK@127.0.0.1:{port}")

    def start_redcap(self, say: Say) -> None:
        """Start the REDCap sandbox, with the rows it had."""
        command = [sys.executable, "-m", "airlock.redcap.sandbox", "--port", str(self.state["redcap"])]
        command += ["--token", self.state["token"], "--state", str(self.home / "redcap.json")]
        self.services.start("redcap", command, self._python_environment, cwd=ROOT)
        self._wait_for("redcap", self._redcap_answers)
        say(f"REDCap sandbox at {self.redcap_url}")

    def stop(self) -> list[str]:
        """End everything that was started here."""
        return self.services.stop()

    def start_pacs(self, role: str, say: Say) -> None:
        """Start one PACS on the loopback interface: Orthanc where it is installed and can be enclosed, else qrscp."""
        if self.services.pid(role) is not None:
            return
        folder = self.home / "pacs" / role
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        peer = self.staging if role == "staging" else self.research
        destinations = {"AIRLOCK": ("127.0.0.1", self.state["move"])}
        program, http = find_orthanc(), self.state[f"{role}_http"]
        if program and can_enclose():
            command = pacs.orthanc_command(folder, peer, destinations, http, program)
            command = enclosed_command(command, listen=[peer.port, http], connect=[self.state["move"]])
            kind = f"Orthanc, http://127.0.0.1:{http}"
        else:
            command = pacs.qrscp_command(folder, peer, destinations)
            without = "where network namespaces are allowed" if program else "with Orthanc installed"
            kind = f"pynetdicom's qrscp ({without}, it would be Orthanc)"
        self.services.start(role, command, self._python_environment, cwd=folder)
        self._wait_for(role, lambda: pacs.answers(peer))
        say(f"{role.capitalize()} PACS: {peer.name}, {kind}")

    def _wait_for(self, name: str, ready: Callable[[], bool], seconds: float = 30.0) -> None:
        end = monotonic() + seconds
        while not ready():
            if monotonic() > end or self.services.pid(name) is None:
                raise AirflowNotReady(f"{name} did not start:\n{self.services.log_tail(name)}")
            sleep(0.1)

    def _redcap_answers(self) -> bool:
        try:
            requests.post(self.redcap_url, timeout=5)
        except requests.RequestException:
            return False
        return True

    def empty_pacs(self, role: str, say: Say) -> None:
        """Start a PACS anew without any study."""
        self.services.stop(role)
        shutil.rmtree(self.home / "pacs" / role, ignore_errors=True)
        self.start_pacs(role, say)

    def start_gate(self, refuse: int = 1) -> None:
        """Start (anew) the gate that refuses the first associations of `research_pacs_gate`."""
        self.services.stop("gate")
        command = [sys.executable, "-m", "demo.gate", "--listen", str(self.state["gate"])]
        command += ["--forward", str(self.state["research"]), "--refuse", str(refuse)]
        self.services.start("gate", command, self._python_environment, cwd=ROOT)

    @property
    def _python_environment(self) -> dict[str, str]:
        return {**os.environ, "PYTHONPATH": str(ROOT), "AIRLOCK_HOME": str(self.home), "PYTHONUNBUFFERED": "1"}

    def _install_projects(self) -> None:
        """Copy the sample projects; add one whose research PACS is behind the gate, and one with a reviewer."""
        target = self.home / "projects"
        target.mkdir(parents=True, exist_ok=True)
        for file in (ROOT / "config" / "projects").glob("*.yaml"):
            shutil.copyfile(file, target / file.name)
        policy = (target / "demo.yaml").read_text()
        gated = policy.replace("name: demo", "name: demo-gated").replace("research_pacs", "research_pacs_gate")
        (target / "demo-gated.yaml").write_text(gated)
        review = "\nreview:\n  mode: review\n  when: {modalities: [US]}\n"
        reviewed = policy.replace("name: demo", "name: demo-reviewed") + review
        (target / "demo-reviewed.yaml").write_text(reviewed)

    def prepare_rewriter(self, say: Say) -> None:
        """Build the rewriter's image where Docker can be used, else say what happens instead."""
        if not docker_answers():
            say("No Docker engine answers: the pixel rewriter will run as a local process (AIRLOCK_REWRITER=auto).")
        elif image_exists():
            say(f"The pixel rewriter runs in a sealed container ({IMAGE})")
        elif os.geteuid() != 0 and not shutil.which("fakeroot"):
            say("The rewriter's image is not here, and building it needs root (sudo make image).")
        else:
            say("Building the pixel rewriter's image (once, a few minutes) ...")
            subprocess.run([str(ROOT / "images" / "pixel-rewriter" / "build")], check=True, cwd=ROOT)


def find_orthanc() -> str | None:
    """Return where Orthanc is; Debian puts it where only root's PATH looks."""
    return shutil.which("Orthanc", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")


def docker_answers() -> bool:
    """Whether a Docker engine answers this user."""
    return _docker("version", "--format", "{{.Server.Version}}")


def image_exists() -> bool:
    """Whether the rewriter's image is on this machine."""
    return _docker("image", "inspect", IMAGE)


def _docker(*arguments: str) -> bool:
    if shutil.which("docker") is None:
        return False
    return subprocess.run(["docker", *arguments], capture_output=True, timeout=30, check=False).returncode == 0
