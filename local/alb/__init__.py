"""The load balancer and the service discovery of the local region."""
