"""The embedded AWS: moto behind a gateway that adds what moto does not do."""

from local.aws import lean

lean.install()
