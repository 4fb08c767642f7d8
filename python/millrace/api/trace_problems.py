"""What is wrong with a trace, in sentences: missing parents, cycles, ids given twice, clocks that disagree."""

from collections import Counter
from collections.abc import Sequence

__all__ = ["problems_of"]

_EXAMPLES = 3


def problems_of(
    ids: Sequence[str], parent_ids: Sequence[str], parents: Sequence[int], starts: Sequence[int], ends: Sequence[int]
) -> list[str]:
    """Look at the spans of a trace.

    Args:
        ids: Their ids.
        parent_ids: The ids of their parents, empty for a root.
        parents: The rows of their parents, -1 where there is none.
        starts: When they started.
        ends: When they ended.
    """
    spans = range(len(ids))
    missing = Counter(parent_ids[at] for at in spans if parent_ids[at] and parents[at] < 0)
    doubled = [span_id for span_id, times in Counter(ids).items() if times > 1]
    early = [ids[at] for at in spans if parents[at] >= 0 and starts[at] < starts[parents[at]]]
    backwards = [ids[at] for at in spans if ends[at] < starts[at]]
    roots = sum(1 for parent in parent_ids if not parent)
    cycle = [ids[at] for at in _in_cycles(parents)]
    found = [
        (sum(missing.values()), "spans whose parent is not here", list(missing)),
        (len(doubled), "ids that occur more than once", doubled),
        (len(cycle), "spans that are their own ancestors", cycle),
        (len(early), "spans that start before their parent, so clocks disagree", early),
        (len(backwards), "spans that end before they start", backwards),
        (roots if roots > 1 else 0, "spans without a parent, so several roots", []),
    ]
    return [f"{number:,} {what}{_some(which)}" for number, what, which in found if number]


def _some(ids: list[str]) -> str:
    return f": {', '.join(ids[:_EXAMPLES])}{', ...' if len(ids) > _EXAMPLES else ''}" if ids else ""


def _in_cycles(parents: Sequence[int]) -> list[int]:
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
