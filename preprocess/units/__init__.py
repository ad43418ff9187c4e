"""One stage on one shard: what it reads, computes and commits."""
