"""What runs inside an agent container."""
