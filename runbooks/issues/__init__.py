"""One file for each issue of the guide."""
