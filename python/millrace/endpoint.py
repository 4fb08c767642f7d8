"""The rules for the endpoints that telemetry is sent to, and for the headers added there: of gateway and SDK."""

import re
from typing import NamedTuple

__all__ = [
    "PORT_MAX",
    "Url",
    "grpc_endpoint",
    "header_name_fault",
    "header_value_fault",
    "parse_host_port",
    "parse_url",
]

PORT_MAX = 65_535

_URL = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://([^/?#]*)([^?#]*)(\?[^#]*)?(#.*)?", re.DOTALL)
_HOST = re.compile(r"[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.%]+\]")
_HEADER_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
_OURS = frozenset(
    {"content-length", "content-type", "content-encoding", "host", "te", "transfer-encoding", "connection"}
)


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


def grpc_endpoint(text: str, *, insecure: bool) -> str:
    """Return the URL of a gRPC target: `host:port` means TLS unless `insecure`; a scheme decides by itself.

    Raises:
        ValueError: The text is none of `host:port`, `http://host:port`, `https://host:port`, `dns:///host:port`.
    """
    scheme, separator, rest = text.partition("://")
    if not separator and text.startswith("unix:"):
        raise ValueError("Unix sockets are not supported")
    if scheme in {"http", "https"}:
        url = parse_url(text)
        if url.path not in {"", "/"} or url.query:
            raise ValueError("a gRPC endpoint has no path")
        target = str(url._replace(path="")).partition("://")[2]
    elif not separator:
        target = text
    elif scheme in {"dns", "passthrough"}:
        target = re.sub(r"^[^/]*/", "", rest)
    else:
        raise ValueError(f"the scheme is http, https or dns, or there is none: got {scheme}")
    host, port = parse_host_port(target)
    if not host or not port:
        raise ValueError("the host and the port are needed, as in localhost:4317")
    secure = scheme == "https" or (scheme != "http" and not insecure)
    return f"{'https' if secure else 'http'}://{target}"


def header_name_fault(name: str) -> str | None:
    """Return what is wrong with the name of a header that a user adds, or `None`."""
    if not _HEADER_NAME.fullmatch(name):
        return "the name of a header has letters, digits and hyphens"
    if name.lower() in _OURS or name.lower().startswith("grpc-"):
        return "this header is set by the exporter itself"
    return None


def header_value_fault(value: str) -> str | None:
    """Return what is wrong with the value of a header, or `None`; the sentence does not repeat the value."""
    allowed = all(character == "\t" or " " <= character <= "~" for character in value)
    return None if allowed else "the value of a header is printable ASCII"
