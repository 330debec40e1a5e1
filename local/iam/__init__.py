"""IAM of the embedded AWS: who calls, what the call needs, and whether the policies allow it."""
