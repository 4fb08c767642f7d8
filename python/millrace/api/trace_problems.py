"""What is wrong with a trace, in sentences: missing parents, cycles, ids given twice, clocks that disagree."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

__all__ = ["Finding", "cycles", "sentences"]

_EXAMPLES = 3


class Finding(NamedTuple):
    """How many spans are concerned, and some of the ids that say which."""

    number: int
    examples: Sequence[str]


_WORDS = {
    "missing": ("span whose parent is not here", "spans whose parent is not here"),
    "doubled": ("id that occurs more than once", "ids that occur more than once"),
    "cycle": ("span that is its own ancestor", "spans that are their own ancestors"),
    "early": (
        "span that starts before its parent, so clocks disagree",
        "spans that start before their parent, so clocks disagree",
    ),
    "backwards": ("span that ends before it starts", "spans that end before they start"),
}


def sentences(findings: Mapping[str, Finding]) -> list[str]:
    """Say what was found, by the names above and `roots`: spans without a parent, of which a trace has one."""
    found = [
        f"{findings[name].number:,} {one if findings[name].number == 1 else many}{_some(findings[name].examples)}"
        for name, (one, many) in _WORDS.items()
        if findings[name].number
    ]
    roots = findings["roots"].number
    return [*found, f"{roots:,} spans without a parent, so several roots"] if roots > 1 else found


def _some(ids: Sequence[str]) -> str:
    return f": {', '.join(ids[:_EXAMPLES])}{', ...' if len(ids) > _EXAMPLES else ''}" if ids else ""


def cycles(parents: Sequence[int]) -> list[int]:
    """Return the spans from which the way up comes back to themselves, each looked at once."""
    new, on_the_way, done = 0, 1, 2
    state = [new] * len(parents)
    cycles: list[int] = []
    for first in range(len(parents)):
        way: list[int] = []
        at = first
        while at >= 0 and state[at] == new:
            state[at] = on_the_way
            way.append(at)
            at = parents[at]
        if at >= 0 and state[at] == on_the_way:
            cycles += way[way.index(at) :]
        for one in way:
            state[one] = done
    return cycles
