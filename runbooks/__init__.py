"""The guide as programs: one file for each issue."""
