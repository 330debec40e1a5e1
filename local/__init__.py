"""The local region: the stack on one machine, without an AWS account."""
