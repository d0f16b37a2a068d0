"""What is done to a whole object after its elements: required attributes, and descriptions of private blocks."""

from __future__ import annotations

from pydicom.dataset import Dataset

from airlock.deid.blocks import block_of
from airlock.deid.decide import Decider
from airlock.deid.profile import dictionary_entry
from airlock.identity.harvest import texts

_DECLARATION = "PrivateDataElementCharacteristicsSequence"


def finish(dataset: Dataset, decider: Decider) -> None:
    """Add what the project's rules require, and describe only private blocks that are there."""
    for tag, rule in decider.overrides.required:
        if tag not in dataset:
            vr = dictionary_entry(tag)[0].split(" or ", maxsplit=1)[0] or "LO"
            dataset.add_new(tag, vr, [] if vr == "SQ" else rule.value)
    if _DECLARATION in dataset:
        _describe_private(dataset)


def _describe_private(dataset: Dataset) -> None:
    creators = {
        (block_of(tag)[0], name)
        for tag in list(dataset.keys())
        if tag.is_private and tag.element <= 0xFF
        for name in texts(dataset.get_item(tag), "LO", ["iso8859"])
    }
    kept = [
        item
        for item in dataset[_DECLARATION].value or []
        if (item.get("PrivateGroupReference"), str(item.get("PrivateCreatorReference", "")).strip()) in creators
    ]
    if kept:
        dataset[_DECLARATION].value = kept
    else:
        del dataset[_DECLARATION]
