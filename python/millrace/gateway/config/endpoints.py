"""Addresses to listen on and URLs to send to, as kinds of settings."""

from millrace.endpoint import parse_host_port, parse_url
from millrace.gateway.config.kinds import Secret, Text
from millrace.gateway.config.tree import Scalar

__all__ = ["LISTEN", "URL", "is_loopback", "listen_address", "without_query"]


def without_query(url: str) -> str:
    """Return a URL as it may be shown: a query can hold a token."""
    path, mark, _ = url.partition("?")
    return f"{path}?{Secret.REDACTED}" if mark else path


def listen_address(text: str) -> str:
    """Return the socket address to bind: `localhost` is IPv4 loopback, no host is every IPv4 address."""
    host, port = parse_host_port(text)
    host = {"localhost": "127.0.0.1", "": "0.0.0.0"}.get(host, host)  # noqa: S104 - what the empty host means in Go
    return f"{host}:{port}"


def is_loopback(address: str) -> bool:
    """Tell whether only this machine reaches the address."""
    host, _ = parse_host_port(address)
    return host in {"localhost", "[::1]"} or host.startswith("127.")


def _listen_fault(text: str) -> str | None:
    if "://" in text:
        return "an address to listen on is host:port, without a scheme"
    try:
        _, port = parse_host_port(text)
    except ValueError as error:
        return str(error)
    return "the port is missing: host:port is expected" if port is None else None


def _url_fault(text: str) -> str | None:
    try:
        parse_url(text)
    except ValueError as error:
        return str(error)
    return None


class _Url(Text):
    """A URL to send to. What may authenticate in it, credentials and the query, is shown by no message or print-out."""

    def fault(self, fault: str, node: Scalar) -> str:
        return fault if "@" in node.text or "?" in node.text else super().fault(fault, node)

    def write(self, value: str) -> str:
        return without_query(value)


LISTEN = Text("an address such as localhost:4317", _listen_fault)
URL = _Url("a URL such as http://localhost:4318", _url_fault)
