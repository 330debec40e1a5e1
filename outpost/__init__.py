"""The ground floor: facts and pure functions that every other part imports."""

VERSION = "2.0.0"
