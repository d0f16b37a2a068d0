"""Rotating the deployment key."""

from __future__ import annotations

from airlock.errors import PolicyError
from airlock.identity.key_file import add_generation
from airlock.identity.keys import KeyRing, given_by, given_keys
from airlock.identity.store import open_store
from airlock.settings import Settings


def rotate_key(settings: Settings) -> int:
    """Add a generation to the key; return its number.

    Patients that are known keep the generation they were made with, and so everything derived from it. Patients that
    are new get the newest.

    :raises PolicyError: when the key is not in its file.
    """
    if given_keys():
        raise PolicyError(
            f"The key is not in a file here. Where it is kept ({given_by()}), add a comma and 64 new hexadecimal "
            "digits (openssl rand -hex 32) at its end, keep what is there, and start Airlock anew."
        )
    # The store must know the earlier generations before there is a later one.
    open_store(settings, KeyRing.load(settings.key_path))
    number = add_generation(settings.key_path)
    open_store(settings, KeyRing.load(settings.key_path))
    return number
