"""The control plane: routers -> domain -> AWS adapters."""
