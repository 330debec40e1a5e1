"""ECS tasks and services of the local region; clusters and task definitions are moto's."""
