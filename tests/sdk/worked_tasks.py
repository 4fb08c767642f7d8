"""A Celery application with one task, which records a span, and a worker that gives itself as many as it is told to.

It configures at its import, or in each process of a pool.
"""

import os
from pathlib import Path

from celery import Celery, signals
from opentelemetry import trace

import millrace

__all__ = ["app", "work"]

folder = Path(os.environ["WORKED_TASKS_FOLDER"])
app = Celery("worked", broker="filesystem://")
app.conf.update(
    broker_transport_options={
        "data_folder_in": str(folder), "data_folder_out": str(folder), "control_folder": str(folder / "control"),
        "polling_interval": 0.05,
    },
    task_ignore_result=True,
    worker_prefetch_multiplier=1,
)  # fmt: skip


def configure(**_: object) -> None:
    """Record from now on."""
    millrace.configure(metrics=False, logs=False)


@app.task  # type: ignore[untyped-decorator] # Celery has no types
def work(number: int) -> None:
    """Record one span."""
    trace.get_tracer("worked").start_span(f"task {number}").end()


@signals.worker_ready.connect  # type: ignore[untyped-decorator] # as above
def begin(**_: object) -> None:
    """Give the tasks to the worker that is ready for them."""
    for number in range(int(os.environ["WORKED_TASKS"])):
        work.delay(number)


if os.environ["WORKED_TASKS_CONFIGURE"] == "import":
    configure()
else:
    signals.worker_process_init.connect(configure, weak=False)
