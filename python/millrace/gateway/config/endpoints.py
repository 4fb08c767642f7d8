"""Addresses to listen on and endpoints to send to: taken apart, checked, and put in one form."""

import re
from typing import NamedTuple

from millrace.gateway.config.kinds import Secret, Text
from millrace.gateway.config.tree import Scalar

__all__ = ["LISTEN", "URL", "Url", "is_loopback", "listen_address", "parse_host_port", "parse_url", "without_query"]

PORT_MAX = 65_535

_URL = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://([^/?#]*)([^?#]*)(\?[^#]*)?(#.*)?", re.DOTALL)
_HOST = re.compile(r"[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.%]+\]")


class Url(NamedTuple):
    """An `http` or `https` URL without credentials."""

    scheme: str
    host: str
    port: int | None
    path: str
    query: str

    def __str__(self) -> str:
        """Return the URL as text."""
        port = "" if self.port is None else f":{self.port}"
        return f"{self.scheme}://{self.host}{port}{self.path}{self.query}"


def parse_host_port(text: str) -> tuple[str, int | None]:
    """Return the host (brackets kept around IPv6) and the port, if any. Raises ValueError with a sentence."""
    if text.count(":") > 1 and not text.startswith("["):
        raise ValueError("an IPv6 address needs brackets, as in [::1]:4317")
    host, colon, port = text.rpartition(":") if not text.endswith("]") else (text, "", "")
    if not colon:
        host = text
    if host and not _HOST.fullmatch(host):
        raise ValueError("the host has characters that no host name has")
    if colon and not (port.isascii() and port.isdigit() and int(port) <= PORT_MAX):
        raise ValueError(f"the port is a number from 0 to {PORT_MAX}")
    return host, int(port) if colon else None


def parse_url(text: str) -> Url:
    """Take an `http` or `https` URL apart. Raises ValueError with a sentence that does not repeat credentials."""
    match = _URL.fullmatch(text)
    if not match or match[1].lower() not in {"http", "https"}:
        raise ValueError("a URL starts with http:// or https://")
    if "@" in match[2]:
        raise ValueError("credentials do not belong into a URL: set them as headers")
    if match[5]:
        raise ValueError("a URL to send to has no #fragment")
    if any(character.isspace() or not character.isprintable() for character in text):
        raise ValueError("a URL has no spaces or control characters")
    host, port = parse_host_port(match[2])
    if not host:
        raise ValueError("the URL has no host")
    return Url(match[1].lower(), host, port, match[3], match[4] or "")


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
