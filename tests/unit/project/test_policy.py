"""Project policies: a wrong word is found with file, line and reason."""

from pathlib import Path

import pytest

from airlock.errors import PolicyError, UnknownProject
from airlock.project import ProjectPolicy, find_policy, load_policies, load_policy

SAMPLES = Path(__file__).parents[3] / "config" / "projects"


@pytest.fixture
def write(tmp_path):
    def write(text, name="p.yaml"):
        path = tmp_path / name
        path.write_text(text) if isinstance(text, str) else path.write_bytes(text)
        return path

    return write


def test_the_samples_are_valid():
    policies = load_policies(SAMPLES)
    assert set(policies) == {"basic", "demo"}
    basic, demo = policies["basic"], policies["demo"]
    assert basic.deidentify.options == ()
    assert basic.redcap is None
    assert demo.deidentify.options == ("retain_longitudinal_modified_dates", "clean_descriptors")
    assert demo.redcap is not None
    assert (demo.redcap.connection, demo.destination.connection) == ("redcap", "research_pacs")
    assert demo.source.method == "raw"


def test_the_samples_say_what_is_the_default(write):
    """What a sample spells out must be what a project gets that leaves it out."""
    bare = load_policy(write("name: basic\ntitle: Basic profile, no options\n"))
    assert load_policy(SAMPLES / "basic.yaml") == bare


def test_the_name_is_the_files_when_left_out(write):
    assert load_policy(write("title: T\n", "QC - NH Phantom.yaml")).name == "QC - NH Phantom"


@pytest.mark.parametrize(
    ("text", "line", "reason"),
    [
        ("name: p\npixel:\n  rewrite: false\n", 2, "pixel: Extra inputs"),
        ("name: p\npixels:\n  rewrit: false\n", 3, "pixels.rewrit: Extra inputs"),
        ("name: p\n\n\npixels:\n  confidence: 101\n", 5, "pixels.confidence"),
        ("name: p\npixels: [1]\n", 2, "pixels"),
        ("name: p\ndeidentify:\n  options:\n    - clean_descriptors\n    - retain_everything\n", 5, "options.1"),
        ("name: p\nsource:\n  method: ftp\n", 3, "source.method"),
        ("name: ''\n", 1, "name"),
        ("name: [\n", 2, "expected"),
        ("- name\n", 1, "a project policy is a mapping"),
        ("", 1, "a project policy is a mapping"),
        ("a: b: c\n", 1, "mapping values"),
        ("name: !!python/object/apply:os.getcwd []\n", 1, "could not determine a constructor"),
    ],
)
def test_a_problem_is_named_with_file_line_and_reason(write, text, line, reason):
    path = write(text)
    with pytest.raises(PolicyError) as caught:
        load_policy(path)
    assert str(caught.value).startswith(f"{path}:{line}: ")
    assert reason in str(caught.value)


def test_every_problem_is_named(write):
    with pytest.raises(PolicyError) as caught:
        load_policy(write("pixel: 1\nscreen:\n  remove: 1\n"))
    assert sorted(problem.split(":")[1] for problem in str(caught.value).splitlines()) == ["1", "3"]


def test_files_that_cannot_be_read(write, tmp_path):
    with pytest.raises(PolicyError, match="UTF-8"):
        load_policy(write(b"name: \xff\n"))
    with pytest.raises(PolicyError, match="No such file"):
        load_policy(tmp_path / "none.yaml")
    with pytest.raises(PolicyError, match="AIRLOCK_PROJECTS"):
        load_policies(tmp_path / "none")


def test_two_files_for_one_project(write, tmp_path):
    write("name: same\n", "a.yaml")
    write("name: same\n", "b.yaml")
    with pytest.raises(PolicyError, match=r"b\.yaml:1: another file"):
        load_policies(tmp_path)


def test_an_unknown_project_is_not_repeated(write, tmp_path):
    write("name: known one\n")
    assert find_policy(tmp_path, "known one").name == "known one"
    with pytest.raises(UnknownProject, match="airlock project list") as caught:
        find_policy(tmp_path, "Xantippe")
    assert not [word for word in ("Xantippe", "known one", str(tmp_path)) if word in str(caught.value)]
    with pytest.raises(UnknownProject, match="Perhaps it means: known one"):
        find_policy(tmp_path, "known-one")


def test_the_digest_tells_policies_apart():
    a, b = ProjectPolicy(name="p"), ProjectPolicy(name="p", title="t")
    assert a.digest == ProjectPolicy(name="p").digest
    assert a.digest != b.digest
