"""A project's hook in a container of a real Docker engine: what it is given, what it can't do, what its end means."""

from __future__ import annotations

import json
import os
import subprocess
import time
from itertools import count
from pathlib import Path

import pytest

from airlock.deid.step import deidentify
from airlock.errors import HeldError, IdentifierFound, PeerUnavailable, UnexpectedFailure
from airlock.quiet import guarded
from airlock.verify.step import verify_output
from airlock_provider.containers import TRANSFER_LABEL
from airlock_provider.operators.step import call_hooks
from tests.component.deid.conftest import fill
from tests.peers import require
from tests.synthetic import STUDY, ct
from tests.transfers import make_transfer

IMAGE = "airlock/test-hook:latest"
BUILD = Path(__file__).parents[3] / "images" / "pixel-rewriter" / "build"
# Its entry point runs the program that is its argument.
DOCKERFILE = 'FROM airlock/pixel-rewriter:latest\nENTRYPOINT ["/opt/rewriter/bin/python", "-c"]\n'
SECRET = "Planted^Name"


def docker(*arguments: str, **options) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["docker", *arguments], check=False, capture_output=True, text=True, timeout=300, **options)


@pytest.fixture(scope="module", autouse=True)
def image():
    require("docker")
    if docker("info").returncode:
        if os.environ.get("CI", "").lower() == "true":
            pytest.fail("no Docker engine answers")
        pytest.skip("no Docker engine answers")
    subprocess.run([str(BUILD)], check=True, capture_output=True)
    built = docker("build", "-t", IMAGE, "-", input=DOCKERFILE)
    assert built.returncode == 0, built.stderr


@pytest.fixture
def made(tmp_path):
    number = count()

    def make(program: str, point: str = "after_deidentify", settings: dict | None = None, **hook):
        given = {"image": IMAGE, "arguments": [program], **hook}
        made = make_transfer(
            tmp_path / str(next(number)),
            study_uid=STUDY,
            policy={"hooks": {point: [given]}},
            settings={"workers": 1, "hook_images": IMAGE, **(settings or {})},
        )
        fill(made, [ct(1), ct(2)])
        deidentify(made)
        return made

    return make


def call(transfer, point="after_deidentify"):
    with guarded():
        call_hooks(transfer, point)


def outputs(transfer):
    return sorted(transfer.workspace.folder("deidentified").rglob("*.dcm"))


def leftovers(transfer):
    return docker("ps", "-aq", "--filter", f"label={TRANSFER_LABEL}={transfer.id}").stdout.split()


def test_it_is_given_what_a_function_is_given_and_nothing_else(made):
    transfer = made(
        "import json, os, pathlib, socket\n"
        "folder = pathlib.Path(os.environ['HOOK_FOLDER'])\n"
        "try: pathlib.Path('/root-is-writable').touch(); root = 'open'\n"
        "except OSError: root = 'sealed'\n"
        "status = dict(l.split(':', 1) for l in open('/proc/self/status'))\n"
        "told = {n: v for n, v in os.environ.items() if n.startswith('HOOK_')}\n"
        "told |= {'files': sorted(str(p.relative_to(folder)) for p in folder.rglob('*.dcm')), 'root': root,\n"
        "  'interfaces': [name for _, name in socket.if_nameindex()], 'capabilities': status['CapEff'].strip(),\n"
        "  'privileges': status['NoNewPrivs'].strip(), 'memory': open('/sys/fs/cgroup/memory.max').read().strip()\n"
        "     if os.path.exists('/sys/fs/cgroup/memory.max') else\n"
        "     open('/sys/fs/cgroup/memory/memory.limit_in_bytes').read().strip(),\n"
        "  'user': [os.getuid(), os.getgid()], 'mounts': [l.split()[1] for l in open('/proc/mounts')]}\n"
        "(folder / 'told.json').write_text(json.dumps(told))\n",
        write=True,
        settings={"hook_memory": "300m"},
    )
    folder = transfer.workspace.folder("deidentified")
    call(transfer)
    told = json.loads((folder / "told.json").read_text())
    assert told["files"] == [str(path.relative_to(folder)) for path in outputs(transfer)]
    assert len(told["files"]) == 2
    expected = {
        "HOOK_POINT": "after_deidentify",
        "HOOK_PROJECT": "Trial",
        "HOOK_TRANSFER": transfer.id,
        "HOOK_DRY_RUN": "0",
        "HOOK_RECEIVED": "2",
        "HOOK_SENT": "0",
        "HOOK_HELD": "0",
    }
    assert {name: told[name] for name in expected} == expected
    assert (told["root"], told["interfaces"], told["privileges"]) == ("sealed", ["lo"], "1")
    assert int(told["capabilities"], 16) == 0
    assert int(told["memory"]) == 300 * 2**20
    assert told["user"] == [os.getuid(), os.getgid()]
    own = [path for path in told["mounts"] if not path.startswith(("/proc", "/sys", "/dev", "/etc"))]
    assert sorted(own) == ["/", "/deidentified", "/tmp"]
    [event] = [
        detail for _, step, kind, detail in transfer.ledger.events(transfer.id) if (step, kind) == ("hook", "called")
    ]
    assert (event["name"], event["point"]) == (IMAGE, "after_deidentify")
    assert event["image"] == docker("images", "--no-trunc", "-q", IMAGE).stdout.strip()
    assert leftovers(transfer) == []


def test_its_end_counts_and_what_it_prints_does_not(made, caplog, capfd):
    """It may not write, unless the policy says so; 65 is its way to say that a person must look."""
    transfer = made(
        f"import sys; print('{SECRET}', file=sys.stderr); print('{SECRET}', flush=True)\n"
        "try: open('/deidentified/x', 'w')\n"
        "except OSError: sys.exit(65)\n"
    )
    with caplog.at_level("DEBUG"), pytest.raises(HeldError, match="exit code 65") as raised:
        call(transfer)
    said = capfd.readouterr()
    told = [str(raised.value), caplog.text, said.out, said.err, str(transfer.ledger.events(transfer.id))]
    assert not any("Planted" in text for text in told)
    assert not any(kind == "called" for _, _, kind, _ in transfer.ledger.events(transfer.id))
    assert leftovers(transfer) == []


def test_what_it_changes_is_verified(made):
    transfer = made(
        "import pathlib, pydicom; p = sorted(pathlib.Path('/deidentified').rglob('*.dcm'))[0]\n"
        "d = pydicom.dcmread(p); d.PatientName = 'Quillfeather^Zebedee'; d.save_as(p)",
        write=True,
    )
    verify_output(transfer)
    call(transfer)
    with pytest.raises(IdentifierFound, match="PatientName"):
        verify_output(transfer)


def test_one_that_hangs_is_stopped(made):
    transfer = made("import time; time.sleep(60)", settings={"hook_timeout_minutes": 0.02})
    begun = time.monotonic()
    with pytest.raises(UnexpectedFailure, match="AIRLOCK_HOOK_TIMEOUT_MINUTES"):
        call(transfer)
    assert time.monotonic() - begun < 30
    assert leftovers(transfer) == []


def test_a_network_that_the_deployment_allows(made):
    """What a killed try left running is gone before."""
    network = f"airlock-test-{os.getpid()}"
    assert docker("network", "create", "--internal", network).returncode == 0
    try:
        program = "import socket, sys; sys.exit(len(socket.if_nameindex()) != 2)"
        transfer = made(program, "after_confirm", {"hook_networks": network}, network=network)
        label = f"{TRANSFER_LABEL}={transfer.id}"
        left = docker("run", "-d", "--label", label, IMAGE, "import time; time.sleep(60)").stdout.strip()
        assert [left.startswith(name) for name in leftovers(transfer)] == [True]
        call(transfer, "after_confirm")
        assert leftovers(transfer) == []
    finally:
        docker("network", "rm", network)


def test_no_image_and_no_engine(made, monkeypatch):
    transfer = made("pass", image="airlock/not-there:1", settings={"hook_images": "airlock/not-there:1"})
    with pytest.raises(PeerUnavailable, match="not here"):
        call(transfer)
    monkeypatch.setenv("DOCKER_HOST", "unix:///nowhere/docker.sock")
    with pytest.raises(PeerUnavailable, match="docker ps"):
        call(transfer)
