"""What is measured: each method against its baselines, on the same scenes and noise, every picture a job."""
