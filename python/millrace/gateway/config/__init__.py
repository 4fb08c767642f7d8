"""The configuration of a gateway: the Collector's vocabulary in, what the engine reads out.

The schema is data: components are `Setting`s in `Group`s (`receivers.py`, `processors.py`, `exporters.py`,
`extensions.py`, `telemetry.py`), listed in `catalog.py`. Reading a file, its defaults, its errors, `config print`, the
JSON Schema and the reference page all come from that one description.
"""

from millrace.gateway.config.document import Configuration, load

__all__ = ["Configuration", "load"]
