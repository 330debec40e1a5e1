"""The ports on AWS: botocore's clients, each call translated at this edge."""
