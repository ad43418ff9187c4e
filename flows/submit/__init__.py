"""Commands as jobs on a Ray cluster: sent through Ray's Jobs API, with their code and settings."""
