"""The use cases: what the routes and the background loops do, on top of the domain and its ports."""
