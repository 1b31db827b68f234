"""The deployment: docker-compose.yml, Dockerfile, Prometheus's and Grafana's files, run without Docker."""
