"""The soak: mixed load of several tenants in a local region while everything around it fails now and then."""
