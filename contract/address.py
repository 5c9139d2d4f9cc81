"""Broker addresses: `--url`, else `$AMQP_URL`, else the local default; several are separated by `;`."""

import os
from urllib.parse import urlsplit

DEFAULT_URL = "amqp://guest:guest@localhost:5672/%2F"


class Address(str):
    """A broker's address, whose `repr` shows no password (C20): a list of them gets into logs."""

    __slots__ = ()

    def __repr__(self) -> str:
        return repr(hint(self))


def broker_urls(url: str | None) -> list[str]:
    """Return the addresses to try in turn.

    Raises:
        ValueError: one of them is not an AMQP URL. The message holds no password (C20).
    """
    urls = [part.strip() for part in (url or os.environ.get("AMQP_URL") or DEFAULT_URL).split(";")]
    for number, each in enumerate(urls, start=1):
        try:
            parts = urlsplit(each)
            valid = parts.scheme in ("amqp", "amqps") and bool(parts.hostname) and parts.port != 0
            valid = valid and not parts.query and not parts.fragment and "/" not in parts.path[1:]
        except ValueError:  # a port that is no number
            valid = False
        if not valid:
            which = hint(each) if len(urls) == 1 else f"number {number} of {len(urls)}"
            raise ValueError(
                f"not a broker address: {which!r}; expected amqp://user:password@host:port/vhost "
                "or amqps://..., with / # ? : @ in user, password and vhost percent-encoded (vhost / is %2F)"
            )
    return [Address(each) for each in urls]


def shown(urls: list[str]) -> str:
    """Return addresses as a log may show them (C20)."""
    return ", ".join(map(hint, urls))


def hint(address: str) -> str:
    """Return what of an address can be shown: nothing that may be part of a password (C20)."""
    scheme, separator, rest = address.rpartition("://")
    _secret, at, host = rest.rpartition("@")
    if at:
        return f"{scheme}{separator}***@{host}"
    name, colon, _port_or_password = rest.partition(":")
    return f"{scheme}{separator}{name}" + (colon and ":***")
