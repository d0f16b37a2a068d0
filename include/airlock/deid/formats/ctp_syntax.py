"""The expressions of the CTP anonymizer: text, and calls `@name(arguments){block}{block}`.

A backslash escapes a character. Arguments are separated by commas, quoted with `"`, and may hold brackets and
parentheses. `if` and `select` have two blocks, `append` has one. The RSNA anonymizer writes calls without parentheses.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

BLOCKS = {"if": 2, "select": 2, "append": 1}
_NAME = re.compile(r"\s*([A-Za-z]\w*)\s*")


class NotUnderstood(Exception):
    """An expression breaks the syntax; the message says how."""


@dataclass(frozen=True)
class Call:
    """A call of a function.

    :param arguments: as written, without the quotes around a whole argument.
    :param blocks: scripts in braces.
    """

    name: str
    arguments: tuple[str, ...] = ()
    blocks: tuple[str, ...] = ()

    def argument(self, number: int) -> str:
        """Return an argument, empty when there are fewer."""
        return self.arguments[number] if number < len(self.arguments) else ""


Part = str | Call


def parse(text: str) -> list[Part]:
    """Read an expression.

    :return: texts and calls, in order; nothing for an empty expression.
    :raises NotUnderstood: when it breaks the syntax.
    """
    parts: list[Part] = []
    literal, position = "", 0
    while position < len(text):
        character = text[position]
        position += 1
        if character == "\\" and position < len(text):
            literal += text[position]
            position += 1
        elif character == "@":
            if literal.strip():
                parts.append(literal)
            literal = ""
            call, position = _call(text, position)
            parts.append(call)
        else:
            literal += character
    return [*parts, literal] if literal.strip() else parts


def _call(text: str, position: int) -> tuple[Call, int]:
    found = _NAME.match(text, position)
    if not found:
        raise NotUnderstood("no name follows the @")
    name, position = found[1], found.end()
    if text[position : position + 1] != "(":
        return Call(name), found.end(1)
    inner, position = _enclosed(text, position, "()")
    blocks = []
    for _ in range(BLOCKS.get(name, 0)):
        start = position + len(text[position:]) - len(text[position:].lstrip())
        if text[start : start + 1] != "{":
            raise NotUnderstood(f"@{name} lacks a script in braces")
        block, position = _enclosed(text, start, "{}")
        blocks.append(block)
    return Call(name, tuple(_arguments(inner)), tuple(blocks)), position


def _enclosed(text: str, start: int, pair: str) -> tuple[str, int]:
    """Return what stands between a bracket and its partner, and the position behind it."""
    depth, quoted, position = 0, False, start
    while position < len(text):
        character = text[position]
        if character == "\\":
            position += 1
        elif character == '"':
            quoted = not quoted
        elif not quoted and character in pair:
            depth += 1 if character == pair[0] else -1
            if depth == 0:
                return text[start + 1 : position], position + 1
        position += 1
    raise NotUnderstood(f"a {pair[0]} is not closed")


def _arguments(text: str) -> list[str]:
    if not text.strip():
        return []
    arguments, current, depth, quoted = [], "", 0, False
    for character in text:
        if character == '"':
            quoted = not quoted
        elif not quoted:
            depth += (character in "([") - (character in ")]")
            if character == "," and depth == 0:
                arguments.append(current)
                current = ""
                continue
        current += character
    return [_unquoted(argument.strip()) for argument in (*arguments, current)]


def _unquoted(argument: str) -> str:
    quoted = len(argument) > 1 and argument[0] == argument[-1] == '"'
    return argument[1:-1] if quoted else argument
