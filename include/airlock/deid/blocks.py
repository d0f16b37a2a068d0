"""Private blocks of a dataset: who made them, and whether anything of them is left (PS3.5 section 7.8.1)."""

from __future__ import annotations

from pydicom.dataset import Dataset
from pydicom.tag import BaseTag

from airlock.identity.harvest import texts
from airlock.identity.identifiers import Identifiers

Block = tuple[int, int]
"""Group, and the number of the block: the last two digits of its creator's element, the first two of the others."""

Creators = dict[Block, str]


def block_of(tag: BaseTag) -> Block:
    """Return the block that a private element or a private creator belongs to."""
    element = int(tag.element)
    return int(tag.group), element >> 8 if element > 0xFF else element


def creators_of(dataset: Dataset, identifiers: Identifiers) -> Creators:
    """Return the creators of a dataset's blocks. One whose name holds an identifier counts as none."""
    found: Creators = {}
    for tag in list(dataset.keys()):
        if tag.is_private and 0x10 <= tag.element <= 0xFF:
            names = texts(dataset.get_item(tag), "LO", ["iso8859"])
            if len(names) == 1 and not identifiers.find(names[0]):
                found[block_of(tag)] = names[0]
    return found


def drop_empty_blocks(dataset: Dataset) -> None:
    """Remove the creators of blocks of which no element is left."""
    private = [tag for tag in list(dataset.keys()) if tag.is_private]
    filled = {block_of(tag) for tag in private if tag.element > 0xFF}
    for tag in private:
        if tag.element <= 0xFF and block_of(tag) not in filled:
            del dataset[tag]
