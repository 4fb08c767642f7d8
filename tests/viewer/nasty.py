"""Telemetry that no sane program sends, and that a viewer must show without doing what it says."""

from tests.viewer.spans import Json, Span, Trace, attributes_of

MARKUP = (
    "<img src=x onerror=alert(1)>",
    "</script><script>alert(2)</script>",
    "{{7*7}}${7*7}",
    "javascript:alert(3)",
    "data:text/html,<script>alert(4)</script>",
    "\u202eevil\u202c<b onmouseover=alert(5)>x</b>",
)
"""Each is a name, a key, a value, a service and a body in turn (S13)."""
LAST_NANO = 2**64 - 1
ERROR = 2


def markup(start: int) -> Trace:
    """A trace with markup wherever text can be."""
    spans = []
    for at, text in enumerate(MARKUP):
        event = {"name": text, "time_unix_nano": str(start + at), "attributes": {text: text}}
        exception = {"exception.type": text, "exception.message": text, "exception.stacktrace": text}
        spans.append(
            Span(
                f"{at + 1:016x}", at - 1, text, text, start + at * 1_000_000, 9_000_000, text, ERROR, text,
                {text: text, f"list {text}": [text, {text: text}]},
                [event, {"name": "exception", "time_unix_nano": str(start + at), "attributes": exception}],
                [{"trace_id": text, "span_id": text, "attributes": {text: text}}],
            )
        )  # fmt: skip
    return Trace("a" * 32, spans, list(MARKUP))


def markup_log(start: int, trace: Trace) -> list[Json]:
    """A log record with markup wherever text can be, for each kind of markup."""
    return [
        {
            "time_unix_nano": str(start + at), "severity_number": 17, "severity_text": text, "body": text,
            "event_name": text, "service": text, "trace_id": trace.trace_id, "span_id": trace.spans[at].span_id,
            "attributes": attributes_of({text: text}), "resource": attributes_of({text: text}), "scope": {"name": text},
        }
        for at, text in enumerate(MARKUP)
    ]  # fmt: skip


def markup_metrics() -> list[Json]:
    """Metrics with markup in name, unit, description and keys."""
    return [
        {
            "name": text, "type": "gauge", "unit": text, "description": text, "points": 1, "series": 1,
            "attributes": [text], "services": [text], "is_monotonic": False,
        }
        for text in MARKUP
    ]  # fmt: skip


def crooked(start: int) -> Trace:
    """Cycles, parents that are missing, ids that are there twice, a child before its parent."""
    spans = [
        Span("00000000000000a1", -1, "shop", "root", start + 1000, 10_000),
        Span("00000000000000a2", 3, "shop", "in a cycle", start + 2000, 1000),
        Span("00000000000000a3", 1, "shop", "in a cycle too", start + 3000, 1000),
        Span("00000000000000a4", 2, "shop", "and back", start + 4000, 1000),
        Span("00000000000000a5", 4, "shop", "its own parent", start + 5000, 1000),
        Span("00000000000000a6", -1, "shop", "parent missing", start + 6000, 1000),
        Span("00000000000000a7", 0, "shop", "before its parent", start, 500),
        Span("00000000000000a7", 0, "shop", "the same id again", start + 7000, 500, status=ERROR),
        Span("00000000000000a8", 6, "", "", start + 100, 0),
    ]
    return Trace("b" * 32, spans, ["3 spans are their own ancestors", "1 span names a parent that is not here"])


def endless() -> Trace:
    """Times at both ends of what 64 bits can say."""
    spans = [
        Span("00000000000000b1", -1, "clock", "from the beginning", 0, LAST_NANO),
        Span("00000000000000b2", 0, "clock", "no time at all", 0, 0),
        Span("00000000000000b3", 0, "clock", "the last nanosecond", LAST_NANO, 0, status=ERROR),
    ]
    return Trace("c" * 32, spans)


def deep(start: int, depth: int = 3000) -> Trace:
    """Each span inside the one before."""
    return Trace(
        "d" * 32,
        [
            Span(f"{at + 1:016x}", at - 1, f"layer-{at % 7}", f"level {at}", start + at, 2 * depth - 2 * at)
            for at in range(depth)
        ],
    )


def huge(start: int, count: int = 100_000) -> Trace:
    """A batch job of so many spans: a root, a thousand chunks one after the other, and steps in each."""
    chunks = 1000
    per_chunk = (count - 1) // chunks
    spans = [Span(f"{1:016x}", -1, "batch", "nightly import", start, chunks * 10_000_000)]
    for chunk in range(chunks):
        chunk_at = len(spans)
        begin = start + chunk * 10_000_000
        spans.append(Span(f"{chunk_at + 1:016x}", 0, "batch", "import chunk", begin, 9_500_000))
        for step in range(per_chunk - 1):
            at = len(spans)
            failed = ERROR if (chunk, step) == (700, 50) else 0
            service = ("postgres", "parser", "storage", "queue")[step % 4]
            name = f"{('INSERT rows', 'parse', 'PUT object', 'publish')[step % 4]}"
            spans.append(Span(f"{at + 1:016x}", chunk_at, service, name, begin + step * 95_000, 90_000, status=failed))
    spans += [
        Span(f"{at + 1:016x}", 0, "batch", "finish", start + 9_990_000_000, 1000) for at in range(len(spans), count)
    ]
    return Trace("e" * 32, spans)
