"""States, rules and decisions, without I/O."""
