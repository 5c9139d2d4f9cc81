"""Broker addresses: `--url`, else `$AMQP_URL`, else the local default; several are separated by `;`."""

import os
from urllib.parse import urlsplit

DEFAULT_URL = "amqp://guest:guest@localhost:5672/%2F"
PORTS = {"amqp": 5672, "amqps": 5671}


class Address(str):
    """A broker's address, whose `repr` shows no password (C20): a list of them gets into logs."""

    __slots__ = ()

    def __repr__(self) -> str:
        return repr(redact(self))


def broker_urls(url: str | None) -> list[str]:
    """Return the addresses to try in turn, each written out in full, as no library has to guess anything then.

    The scheme is in lower case; user and password are guest, the port 5672 (amqps: 5671) and the virtual host /
    where the address says nothing of them.

    Raises:
        ValueError: one of them is not an AMQP URL. The message holds no password (C20).
    """
    urls = [part.strip() for part in (url or os.environ.get("AMQP_URL") or DEFAULT_URL).split(";")]
    addresses: list[str] = []
    for number, each in enumerate(urls, start=1):
        address = normalised(each)
        if address is None:
            which = redact(each) if len(urls) == 1 else f"number {number} of {len(urls)}"
            raise ValueError(
                f"not a broker address: {which!r}; expected amqp://user:password@host:port/vhost "
                "or amqps://..., with / # ? : @ in user, password and vhost percent-encoded (vhost / is %2F)"
            )
        addresses.append(Address(address))
    return addresses


def normalised(url: str) -> str | None:
    """Return one address in full; None for what is no AMQP URL, or has a user and no password to log in with."""
    try:
        parts = urlsplit(url)  # which puts the scheme in lower case
        port = parts.port
    except ValueError:  # not raised on: its message may hold a password
        return None
    user, colon, password = parts.netloc.rpartition("@")[0].partition(":")
    vhost = parts.path.removeprefix("/")
    valid = parts.scheme in PORTS and bool(parts.hostname) and port != 0
    valid = valid and not (parts.query or parts.fragment or "/" in vhost or ":" in password)
    if not valid or bool(user) != bool(password) or (colon and not user):
        return None
    host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname
    login = f"{user}:{password}" if user else "guest:guest"
    return f"{parts.scheme}://{login}@{host}:{port or PORTS[parts.scheme]}/{vhost or '%2F'}"


def redacted(urls: list[str]) -> str:
    """Return addresses as a log may show them (C20)."""
    return ", ".join(map(redact, urls))


def redact(address: str) -> str:
    """Return what of an address can be shown: nothing that may be part of a password (C20)."""
    scheme, separator, rest = address.rpartition("://")
    _secret, at, host = rest.rpartition("@")
    if at:
        return f"{scheme}{separator}***@{host}"
    name, colon, _port_or_password = rest.partition(":")
    return f"{scheme}{separator}{name}" + (colon and ":***")
