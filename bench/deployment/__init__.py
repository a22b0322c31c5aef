"""The stack of docker-compose.yml on a Docker engine, for benchmarks and for the tests of the deployment."""
