"""A version of a data set: manifest, card, merged shards, and readers of its parts."""
