"""The id of this machine, where the semantic conventions say that it is found without privileges (`host.id`)."""

import platform
from pathlib import Path
from typing import Any

__all__ = ["host_id"]

_LINUX = ("/etc/machine-id", "/var/lib/dbus/machine-id")
_BSD = "/etc/hostid"
_BSD_COMMAND = ("/bin/kenv", "-q", "smbios.system.uuid")
_MACOS_COMMAND = ("/usr/sbin/ioreg", "-rd1", "-c", "IOPlatformExpertDevice")
_WINDOWS_KEY = r"SOFTWARE\Microsoft\Cryptography"
_COMMAND_TIMEOUT_S = 2.0  # below the five seconds that a detector has: its other attributes still arrive


def host_id() -> str | None:
    """Return the id, or `None` when this machine has none that is readable."""
    system = platform.system()
    if system == "Linux":
        return next(filter(None, map(_first_line, _LINUX)), None)
    if system == "Darwin":
        return _macos()
    if system == "Windows":
        return _windows()
    if system == "DragonFly" or system.endswith("BSD"):
        return _first_line(_BSD) or _output(_BSD_COMMAND).strip() or None
    return None


def _first_line(path: str) -> str | None:
    try:
        return Path(path).read_text(encoding="utf-8").strip() or None
    except (OSError, UnicodeDecodeError):
        return None


def _output(command: tuple[str, ...]) -> str:
    import subprocess  # noqa: PLC0415 - only where the id comes from a program

    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_COMMAND_TIMEOUT_S, check=True)  # noqa: S603 - fixed paths
    except (OSError, subprocess.SubprocessError):
        return ""
    return done.stdout


def _macos() -> str | None:
    for line in _output(_MACOS_COMMAND).splitlines():
        key, _, value = line.partition("=")
        if key.strip().strip('"') == "IOPlatformUUID" and value.strip().strip('"'):
            return value.strip().strip('"')
    return None


def _windows() -> str | None:
    try:
        import winreg  # noqa: PLC0415 - exists only there
    except ImportError:
        return None
    registry: Any = winreg  # its functions are known to the type checker on Windows only
    access = registry.KEY_READ | registry.KEY_WOW64_64KEY
    with registry.OpenKey(registry.HKEY_LOCAL_MACHINE, _WINDOWS_KEY, access=access) as key:
        value, _ = registry.QueryValueEx(key, "MachineGuid")
    return str(value) if value else None
