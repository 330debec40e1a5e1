"""The price table: AWS's list prices of one region on one day, with their sources (infra/prices.json)."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from outpost.errors import OutpostError

TABLE = Path(__file__).with_name("prices.json")
HOURS = 730  # a month, as AWS's own calculator counts it
MINUTES_AN_HOUR = 60


@dataclass(frozen=True, kw_only=True)
class Price:
    """`amount` is in the table's currency for one `unit`. `uncertain` says what the number leaves open.

    `compared` is false for one that was not compared with its source on the day of the review.
    """

    amount: float
    unit: str
    source: str
    uncertain: str = ""
    compared: bool = True


@dataclass(frozen=True, kw_only=True)
class Prices:
    """Prices by key. `reviewed` is the day on which somebody last compared them with their sources."""

    region: str
    currency: str
    reviewed: str
    table: Mapping[str, Price]

    def __getitem__(self, key: str) -> Price:
        """The price; raises `OutpostError` (`unknown-price`) rather than taking it for zero."""
        try:
            return self.table[key]
        except KeyError as error:
            raise OutpostError(
                "unknown-price",
                f"There is no price {key!r}.",
                remedy=f"Add it to {TABLE.name} with its source.",
            ) from error

    @classmethod
    def load(cls) -> "Prices":
        """The table in the repository."""
        document = json.loads(TABLE.read_text(encoding="utf-8"))
        sources = document["sources"]
        return cls(
            region=document["region"],
            currency=document["currency"],
            reviewed=document["reviewed"],
            table={
                key: Price(
                    amount=entry["price"],
                    unit=entry["unit"],
                    source=sources[entry["source"]]["url"],
                    uncertain=entry.get("uncertain", ""),
                    compared=bool(sources[entry["source"]]["seen"]),
                )
                for key, entry in document["prices"].items()
            },
        )
