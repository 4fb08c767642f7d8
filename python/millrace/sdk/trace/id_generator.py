"""Where trace and span ids come from: natively random, unless a program brings its own generator."""

from abc import ABC, abstractmethod

__all__ = ["IdGenerator", "RandomIdGenerator"]


class IdGenerator(ABC):
    """Makes ids; upstream's class of this name serves as well."""

    @abstractmethod
    def generate_span_id(self) -> int:
        """Return a span id: 64 bits, not zero."""

    @abstractmethod
    def generate_trace_id(self) -> int:
        """Return a trace id: 128 bits, not zero. Samplers expect the lower 56 to be random."""

    def is_trace_id_random(self) -> bool:
        """Return whether the lower 56 bits of trace ids are random (W3C Trace Context level 2, flag `random`)."""
        return False


class RandomIdGenerator(IdGenerator):
    """Random ids. A provider that is given this one draws them natively."""

    def generate_span_id(self) -> int:
        """Return 64 random bits, not zero."""
        import random  # noqa: PLC0415 - 3 ms for the few who draw ids here

        while not (drawn := random.getrandbits(64)):
            pass
        return drawn

    def generate_trace_id(self) -> int:
        """Return 128 random bits, not zero."""
        import random  # noqa: PLC0415 - as above

        while not (drawn := random.getrandbits(128)):
            pass
        return drawn

    def is_trace_id_random(self) -> bool:
        """Return True."""
        return True
