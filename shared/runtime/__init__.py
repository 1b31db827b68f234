"""What every process runs on: the runner, signals, health, metrics, retries."""
