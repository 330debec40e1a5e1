"""The Pulumi program that defines the stack."""
