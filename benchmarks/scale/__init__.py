"""A day of a million dispatches on a simulated clock, with AWS's real limits."""
