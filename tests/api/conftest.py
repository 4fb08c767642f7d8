"""A server over the shop's telemetry, asked over real connections."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import pytest
import uvicorn

from millrace.api import application
from millrace.store import Store
from tests.api.keeping import keep_shop


class AnnouncingServer(uvicorn.Server):
    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.is_up = threading.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.is_up.set()


@contextmanager
def serving(app: Any) -> Iterator[str]:  # noqa: ANN401 - an ASGI application
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = AnnouncingServer(uvicorn.Config(app, log_level="warning", timeout_graceful_shutdown=1))
        thread = threading.Thread(target=server.run, args=([listener],))
        thread.start()
        assert server.is_up.wait(30)
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join()


@pytest.fixture(scope="session")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    folder = tmp_path_factory.mktemp("store")
    keep_shop(folder)
    return Store(folder)


@pytest.fixture(scope="session")
def client(store: Store) -> Iterator[httpx.Client]:
    with serving(application(store)) as url, httpx.Client(base_url=url, timeout=30) as client:
        yield client
