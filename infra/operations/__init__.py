"""What operators and pipelines do to a running stack; the same on AWS and in the local region."""
