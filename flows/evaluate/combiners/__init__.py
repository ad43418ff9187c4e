"""Each combiner against its baselines on tabletop: the same scenes, the same noise, and what comes out as jobs."""
