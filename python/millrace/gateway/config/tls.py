"""TLS settings of receivers and exporters."""

from pathlib import Path

from millrace.exporter import client_tls
from millrace.gateway.config.components import Resolved
from millrace.gateway.config.kinds import Boolean, Choice, Duration, Ignored, Text, Unsupported, describe
from millrace.gateway.config.problems import Place, Problems
from millrace.gateway.config.settings import Group, Setting, Values
from millrace.gateway.config.tree import Scalar

__all__ = ["CLIENT_TLS", "SERVER_TLS", "resolve_client_tls", "resolve_server_tls"]

_TOO_OLD = dict.fromkeys(("1.0", "1.1"), "use 1.2: versions before it are broken")
_FILES_ONLY = "put the certificate into a file and name it"


class _File(Text):
    """A file that must be readable when the gateway starts."""

    def __init__(self) -> None:
        super().__init__("the path of a readable file", _file_fault)

    def fault(self, fault: str, node: Scalar) -> str:
        return f"cannot read {describe(node)}: {fault}"


def _file_fault(name: str) -> str | None:
    try:
        with Path(name).open("rb"):
            return None
    except OSError as error:
        return error.strerror or str(error)


_SHARED = (
    Setting("cert_file", _File(), "PEM file of the own certificate chain."),
    Setting("key_file", _File(), "PEM file of the own private key."),
    Setting("min_version", Choice("1.2", "1.3", absent=_TOO_OLD), "Oldest version of TLS accepted.", "1.2"),
    Setting("max_version", Choice("1.3"), "Newest version of TLS; millrace always offers 1.3.", "1.3"),
    Setting(
        "reload_interval",
        Duration(1),
        "How long certificates, keys and authorities are believed before new connections read their files again. "
        "Without it they are read once.",
    ),
    Setting("ca_pem", Unsupported(_FILES_ONLY), ""),
    Setting("cert_pem", Unsupported(_FILES_ONLY), ""),
    Setting("key_pem", Unsupported(_FILES_ONLY), ""),
    Setting("cipher_suites", Unsupported("the safe suites of TLS 1.2 and 1.3 are always used"), ""),
    Setting("curve_preferences", Unsupported("the safe curves are always used"), ""),
    Setting("include_insecure_cipher_suites", Unsupported("insecure suites are never offered"), ""),
    Setting("include_system_ca_certs_pool", Unsupported("append the machine's authorities to ca_file"), ""),
    Setting("tpm", Unsupported("keys come from files"), ""),
)


def _check_pair(values: Values, problems: Problems) -> None:
    for one, other in (("cert_file", "key_file"), ("key_file", "cert_file")):
        if values[one] and not values[other]:
            problems.error(values.at(one), f"needs {other} beside it", "set both, or none")


def _check_server(values: Values, problems: Problems) -> None:
    _check_pair(values, problems)
    if not values["cert_file"] and not values["key_file"]:
        hint = "set cert_file and key_file, or remove the tls block"
        problems.error(values.place, "a server needs a certificate and its key", hint)


SERVER_TLS = Group(
    *_SHARED,
    Setting("client_ca_file", _File(), "PEM file of authorities; set, it demands a client certificate (mTLS)."),
    Setting("client_ca_file_reload", Ignored("reload_interval reads client_ca_file again, too"), ""),
    Setting("ca_file", Ignored("a server checks clients by client_ca_file"), ""),
    optional=True,
    null="absent",
    check=_check_server,
)

CLIENT_TLS = Group(
    Setting("insecure", Boolean(), "Send without TLS. A URL's own http:// or https:// decides over it.", default=False),
    Setting("insecure_skip_verify", Boolean(), "Accept any certificate: for tests only.", default=False),
    Setting("server_name_override", Text(), "The name expected in the server's certificate."),
    Setting("ca_file", _File(), "PEM file of authorities, instead of the machine's own."),
    *_SHARED,
    optional=True,
    null="absent",
    check=_check_pair,
)


def resolve_server_tls(values: Values | None) -> Resolved | None:
    """Return what the engine needs to serve over TLS."""
    if values is None:
        return None
    names = ("cert_file", "key_file", "client_ca_file", "min_version")
    return {name: values[name] for name in names} | {"reload_interval_ms": values["reload_interval"]}


def resolve_client_tls(values: Values | None, *, needed: bool) -> Resolved | None:
    """Return what the engine needs to send over TLS, or `None` when the endpoint is not `https`."""
    if not needed:
        return None
    values = CLIENT_TLS.defaults(Place(), Problems()) if values is None else values
    names = ("ca_file", "cert_file", "key_file", "server_name_override", "insecure_skip_verify", "min_version")
    return client_tls(**{name: values[name] for name in names}, reload_interval_ms=values["reload_interval"])
