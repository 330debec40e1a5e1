"""HTTP to where tenants say: public addresses only, checked where the connection is made, no redirects."""

import contextlib
import http.client
import ipaddress
import socket
import ssl
import threading
from collections.abc import Mapping
from urllib.parse import urlsplit

TIMEOUT = 10.0  # seconds for one step: to connect, to send, to receive
WHOLE = 20.0  # seconds for all of it: an answer that drips must not hold a sender
# IPv6 that carries an IPv4 address, which a gateway may unpack: NAT64, 6to4, and the old compatible form.
_CARRIERS = [ipaddress.ip_network(each) for each in ("64:ff9b::/96", "2002::/16", "::/96")]


class ForbiddenAddressError(Exception):
    """The URL leads somewhere that a tenant may not make this service call."""


def _address(host: str, port: int, *, local: bool) -> str:
    """An address of the host. The connection goes to this one: a name that changes its mind gains nothing."""
    try:
        found = [str(each[4][0]) for each in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)]
    except UnicodeError:
        raise ForbiddenAddressError(f"{host[:100]} is not a host name") from None
    if not local and not all(_public(each) for each in found):
        raise ForbiddenAddressError(f"{host} is not a public address")
    return found[0]


def _public(text: str) -> bool:
    address = ipaddress.ip_address(text)
    carried = any(address in network for network in _CARRIERS if network.version == address.version)
    return address.is_global and not address.is_multicast and not carried


class _Pinned(http.client.HTTPSConnection):
    """TLS for a name, to an address that was checked."""

    def __init__(self, host: str, port: int, address: str) -> None:
        super().__init__(host, port, timeout=TIMEOUT)
        self._address = address

    def connect(self) -> None:
        plain = socket.create_connection((self._address, self.port), TIMEOUT)
        self.sock = ssl.create_default_context().wrap_socket(plain, server_hostname=self.host)


def post(url: str, body: bytes, headers: Mapping[str, str], *, local: bool) -> int:
    """The status of one POST. Raises `ForbiddenAddressError`, `OSError` and `http.client.HTTPException`."""
    parts = urlsplit(url)
    if parts.scheme != "https" and not local:
        raise ForbiddenAddressError("only https is called")
    host = parts.hostname or ""
    port = parts.port or (443 if parts.scheme == "https" else 80)
    address = _address(host, port, local=local)
    connection: http.client.HTTPConnection
    if parts.scheme == "https":
        connection = _Pinned(host, port, address)
    else:
        connection = http.client.HTTPConnection(address, port, timeout=TIMEOUT)
    end = threading.Timer(WHOLE, _cut, (connection,))
    end.daemon = True
    end.start()
    try:
        connection.request(
            "POST", f"{parts.path or '/'}{'?' + parts.query if parts.query else ''}", body, dict(headers)
        )
        return connection.getresponse().status
    finally:
        end.cancel()
        connection.close()


def _cut(connection: http.client.HTTPConnection) -> None:
    """End the connection, also for the thread that waits on it."""
    with contextlib.suppress(OSError, AttributeError):  # not open yet, or not any more
        connection.sock.shutdown(socket.SHUT_RDWR)
