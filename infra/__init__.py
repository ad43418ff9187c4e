"""Where it runs: storage, commits, execution, weights."""
