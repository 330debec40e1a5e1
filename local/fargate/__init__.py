"""Fargate of the local region: tasks as processes of this machine."""
