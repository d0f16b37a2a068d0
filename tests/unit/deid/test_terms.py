"""Terms say what a policy without rules says."""

from __future__ import annotations

from airlock.deid.profile import Profile
from airlock.deid.terms import OPTIONS, Strictest, Terms
from airlock.deidentify_policy import DeidentifyPolicy, Option
from airlock.project import ProjectPolicy


def test_the_default_is_the_default() -> None:
    policy = DeidentifyPolicy()
    for name in ("edition", "options", "max_shift_days", "shift_by", "round_age_years", "unlisted", "rules"):
        assert getattr(Terms(), name) == getattr(policy, name)
    for name in ("already_deidentified", "private_mode"):
        assert getattr(Terms(), name) == getattr(policy, name)
    assert (Terms().private.keep, Terms().private.csa_header) == (policy.private.keep, policy.private.csa_header)
    assert Strictest("P").deidentify.model_dump_json() == ProjectPolicy(name="P").deidentify.model_dump_json()


def test_options() -> None:
    assert set(OPTIONS) == set(Option.__args__)
    for options in ((), ("retain_safe_private",), ("clean_descriptors", "retain_uids")):
        light, whole = (Profile("2026d", options, policy).policy for policy in (Terms(), DeidentifyPolicy()))
        assert (light.private_mode, light.options) == (whole.private_mode, whole.options)
