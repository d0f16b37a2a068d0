"""Reads the arguments of a command, without click, where they are of the plainest form."""

from __future__ import annotations

from collections.abc import Collection


def read_arguments(
    arguments: list[str], values: Collection[str], flags: Collection[str] = ()
) -> tuple[list[str], dict[str, str]]:
    """Return places and options; no places when something is not of the plainest form.

    :param values: options with a value, `--name value` or `--name=value`.
    :param flags: options without one; theirs is empty.
    """
    places: list[str] = []
    options: dict[str, str] = {}
    rest = iter(arguments)
    for argument in rest:
        name, _, value = argument.partition("=")
        if not argument.startswith("-"):
            places.append(argument)
        elif argument in flags:
            options[argument] = ""
        elif name in values and (value := value if "=" in argument else next(rest, "")) and value[0] != "-":
            options[name] = value
        else:
            return [], {}
    return places, options
