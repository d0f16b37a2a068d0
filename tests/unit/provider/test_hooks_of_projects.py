"""A project's own functions after a step."""

from __future__ import annotations

import os
import sys
from importlib.metadata import EntryPoint, EntryPoints
from types import ModuleType

import pytest

from airlock import hooks
from airlock.errors import HeldError, PolicyError, RefusedError, UnexpectedFailure
from airlock.hooks import ContainerHook, HooksPolicy, check_left_behind, ending_of, find_hooks
from airlock.ledger import InstanceState, InstanceUpdate
from airlock.quiet import guarded
from airlock_provider.operators.step import TransferStepOperator, check_hooks
from tests.transfers import make_transfer


@pytest.fixture
def group(monkeypatch):
    """A module of a research group, with what its hooks were given."""
    module = ModuleType("our_group")
    module.calls = []
    module.note = module.calls.append
    module.broken = lambda call: {}["Doe^Jane"]
    module.number = 7

    def hold(call):
        raise HeldError("Look at it.")

    module.hold = hold
    module.step = lambda transfer: 1
    monkeypatch.setitem(sys.modules, "our_group", module)
    return module


def run(tmp_path, names, allowed="our_group:note,our_group:broken,our_group:hold", **request):
    policy = {"hooks": {"after_deidentify": names}}
    transfer = make_transfer(tmp_path, policy=policy, settings={"hooks": allowed}, **request)
    transfer.ledger.record(transfer.id, [InstanceUpdate("i-1", InstanceState.READY)])
    operator = TransferStepOperator(task_id="deidentify", step="our_group:step", hooks="after_deidentify")
    with guarded():
        operator.call(transfer)
    return transfer


@pytest.mark.parametrize("dry_run", [False, True])
def test_it_is_given_the_folder_the_counts_and_whether_it_is_real(tmp_path, group, dry_run):
    transfer = run(tmp_path, ["our_group:note"], options={"dry_run": dry_run})
    (call,) = group.calls
    assert call.folder == transfer.workspace.folder("deidentified")
    assert (call.counts["received"], call.counts["sent"], call.dry_run) == (1, 0, dry_run)
    assert (call.project, call.transfer_id, call.point) == ("Trial", transfer.id, "after_deidentify")
    events = [
        detail for _, step, kind, detail in transfer.ledger.events(transfer.id) if (step, kind) == ("hook", "called")
    ]
    assert events == [{"name": "our_group:note", "point": "after_deidentify"}]


def test_its_exception_fails_the_step_without_its_text(tmp_path, group):
    with pytest.raises(UnexpectedFailure) as failed:
        run(tmp_path, ["our_group:broken"])
    assert "Doe" not in str(failed.value)
    with pytest.raises(HeldError, match="Look at it"):
        run(tmp_path / "other", ["our_group:hold"])


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("our_group:note", "allow its name in AIRLOCK_HOOKS"),
        ("our_group:number", "not a function"),
        ("our_group:nothing", "cannot be imported"),
        ("no_group:note", "cannot be imported"),
        ("no_group", "cannot be imported"),
    ],
)
def test_what_is_not_allowed_or_not_there(group, name, words):
    allowed = "" if words.startswith("allow") else "our_group:number, our_group:nothing, no_group:note, no_group"
    with pytest.raises(PolicyError, match=words):
        find_hooks([name], allowed)


def test_an_installed_package_registers_names(group, monkeypatch):
    point = EntryPoint("note-it", "our_group:note", hooks.GROUP)
    monkeypatch.setattr(hooks, "entry_points", lambda group: EntryPoints([point]).select(group=group))
    (hook,) = find_hooks(["note-it"], "")
    hook("called")
    assert group.calls == ["called"]


@pytest.mark.parametrize(
    ("code", "kind"), [(1, UnexpectedFailure), (137, UnexpectedFailure), (65, HeldError), (78, RefusedError)]
)
def test_the_exit_code_of_a_container(code, kind):
    hook = ContainerHook(image="our-group/encounters:1")
    assert ending_of(hook, 0) is None
    ending = ending_of(hook, code)
    assert type(ending) is kind
    assert f"our-group/encounters:1 ended with exit code {code}" in str(ending)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"after_deidentify": [{"image": "a", "network": "ours"}]}, "nothing may leave"),
        ({"after_confirm": [{"image": "a", "write": True}]}, "may not change"),
        ({"after_confirm": [{"image": "-v"}]}, "pattern"),
        ({"after_confirm": [{"image": "a", "network": "container:db"}]}, "pattern"),
        ({"after_confirm": [{"image": "a", "arguments": "rm -rf /"}]}, "tuple"),
        ({"after_confirm": [{"image": "a", "privileged": True}]}, "not permitted"),
    ],
)
def test_a_container_that_no_policy_may_ask_for(given, words):
    with pytest.raises(ValueError, match=words):
        HooksPolicy.model_validate(given)


@pytest.mark.parametrize(
    ("network", "images", "networks", "words"),
    [
        ("none", "", "", "AIRLOCK_HOOK_IMAGES"),
        ("none", "our-group/encounters:12,encounters", "", "AIRLOCK_HOOK_IMAGES"),
        ("ours", "our-group/encounters:1", "", "AIRLOCK_HOOK_NETWORKS"),
        ("host", "our-group/encounters:1", "host,ours", "AIRLOCK_HOOK_NETWORKS"),
    ],
)
def test_a_container_that_the_deployment_does_not_allow(tmp_path, network, images, networks, words):
    """Refused before the transfer begins, by the same check as functions."""
    hook = {"image": "our-group/encounters:1", "network": network}
    settings = {"hook_images": images, "hook_networks": networks}
    transfer = make_transfer(tmp_path, policy={"hooks": {"after_confirm": [hook]}}, settings=settings)
    with pytest.raises(PolicyError, match=words):
        check_hooks(transfer.policy.hooks.after_confirm, transfer.settings)
    allowed = {"hook_images": " a, our-group/encounters:1", "hook_networks": "ours"}
    if network != "host":
        check_hooks(transfer.policy.hooks.after_confirm, transfer.settings.model_copy(update=allowed))


@pytest.mark.parametrize("make", [lambda path: path.symlink_to("/etc/hostname"), os.mkfifo])
def test_links_and_pipes_that_a_container_left_are_noticed(tmp_path, make):
    inside = tmp_path / "1.2.3"
    inside.mkdir()
    (inside / "1.dcm").touch()
    check_left_behind(tmp_path)
    make(inside / "2.dcm")
    with pytest.raises(HeldError, match="neither a file nor a folder"):
        check_left_behind(tmp_path)
