"""Who may ask and what a browser may do with an answer: host names, origins, a token, headers of every answer."""

import hmac
from collections.abc import Iterable
from http.cookies import CookieError, SimpleCookie
from ipaddress import ip_address
from urllib.parse import parse_qs, urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

__all__ = ["Guard", "is_loopback"]

COOKIE = "millrace_token"

HEADERS = {
    # Scripts, styles and data come from this server, as files: whatever telemetry says can become neither. Styles of
    # elements are set by the page's own script (`element.style`), which this policy does not concern.
    "content-security-policy": (
        "default-src 'self'; img-src 'self' data:; object-src 'none'; base-uri 'none'; form-action 'self'; "
        "frame-ancestors 'none'"
    ),
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cross-origin-resource-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
}


def is_loopback(host: str) -> bool:
    """Tell whether a host is this machine for itself only."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost" or host.lower().endswith(".localhost")


class Guard:
    """Stands before the whole application (S12, S13).

    Args:
        app: What answers those who may ask.
        hosts: Names by which the server may be asked besides addresses of the loopback interface: a web page of
            somebody else whose name was made to lead here (DNS rebinding) asks by its own. Numeric addresses are no
            names that anybody can redirect, and are let through where a token is needed anyway.
        token: What a client must know: `Authorization: Bearer`, or once `?token=`, which becomes a cookie.
    """

    def __init__(self, app: ASGIApp, hosts: Iterable[str] = (), token: str | None = None) -> None:
        self._app = app
        self._hosts = {host.lower() for host in hosts}
        self._token = token

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuse a request, or pass it on and complete its answer."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)

        async def send_guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                answered = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    answered.setdefault(name, value)
                answered.setdefault("cache-control", "no-store")
            await send(message)

        refusal = self._refuse(scope, headers)
        await (refusal or self._app)(scope, receive, send_guarded)

    def _refuse(self, scope: Scope, headers: Headers) -> Response | None:
        host = _host_name(headers.get("host", ""))
        if not self._knows(host):
            sentence = (
                f"this server is not known as {host[:80]!r}; ask it by an address of this machine, "
                "or start it with --allow-host"
            )
            return JSONResponse({"error": sentence}, 403)
        if scope["method"] not in {"GET", "HEAD", "OPTIONS"} and not _is_same_origin(headers):
            return JSONResponse({"error": "only the page of this server itself may send this request"}, 403)
        if self._token is None:
            return None
        return self._ask_for_token(scope, headers, self._token)

    def _knows(self, host: str) -> bool:
        if is_loopback(host) or host.lower() in self._hosts:
            return True
        try:
            ip_address(host)
        except ValueError:
            return False
        return self._token is not None

    def _ask_for_token(self, scope: Scope, headers: Headers, token: str) -> Response | None:
        query = parse_qs(scope["query_string"].decode("latin-1"))
        given = query.get("token", [""])[0]
        if given and _equal(given, token):
            if scope["method"] == "GET" and not scope["path"].startswith(("/api/", "/jaeger/", "/tempo/")):
                return _with_cookie(scope["path"], token)
            return None
        scheme, _, credentials = headers.get("authorization", "").partition(" ")
        if scheme.lower() == "bearer" and _equal(credentials.strip(), token):
            return None
        if _equal(_cookie(headers), token):
            return None
        sentence = "this server asks for its token: open the address that it printed when it started"
        return JSONResponse({"error": sentence}, 401, {"www-authenticate": "Bearer"})


def _with_cookie(path: str, token: str) -> Response:
    """Keep the token in a cookie and out of the address, where it would be copied and bookmarked."""
    answer = RedirectResponse("/" + path.lstrip("/"), 303)  # one slash: two would be another host
    answer.set_cookie(COOKIE, token, httponly=True, samesite="strict", path="/")
    return answer


def _cookie(headers: Headers) -> str:
    try:
        cookie = SimpleCookie(headers.get("cookie", "")).get(COOKIE)
    except CookieError:
        return ""
    return cookie.value if cookie else ""


def _equal(given: str, token: str) -> bool:
    return hmac.compare_digest(given.encode(), token.encode())


def _host_name(host: str) -> str:
    """The name in a `Host` header, without port and brackets."""
    try:
        return urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return ""


def _is_same_origin(headers: Headers) -> bool:
    """Browsers say which page sends a request; programs that are no browsers say nothing and have no one's cookies."""
    site = headers.get("sec-fetch-site")
    if site is not None and site not in {"same-origin", "none"}:
        return False
    origin = headers.get("origin")
    return origin is None or urlsplit(origin).netloc == headers.get("host")
