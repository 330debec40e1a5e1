"""What runs inside an agent's container: one attempt of one dispatch, then it exits."""
