"""Loopback addresses: a task's 10.0.b.c is 127.R.b.c here, R being claimed by one region at a time."""

import contextlib
import random
import socket

from outpost.errors import OutpostError

CLAIM_PORT = 47813  # bound on 127.R.0.1 for as long as the region lives


class Addresses:
    """The 127.R.0.0/16 of one region. Raises `OutpostError` when all are taken."""

    def __init__(self) -> None:
        numbers = random.sample(range(1, 255), 254)
        for number in numbers:
            self._claim = socket.socket()
            with contextlib.suppress(OSError):
                self._claim.bind((f"127.{number}.0.1", CLAIM_PORT))
                self._claim.listen(1)
                self.number = number
                return
            self._claim.close()
        raise OutpostError("no-loopback-address", "no 127.R.0.0/16 is free.", remedy="Stop another region.")

    def of(self, address: str) -> str:
        """The loopback address that stands for an address in the VPC."""
        _, _, third, fourth = address.split(".")
        return f"127.{self.number}.{third}.{fourth}"

    def forwarder(self, index: int) -> str:
        """The address of the index-th name of service discovery; no subnet of the stack reaches so far."""
        return f"127.{self.number}.255.{index + 1}"
