"""What a dispatch is and what may happen to it: no I/O, no framework, no clock of its own."""
