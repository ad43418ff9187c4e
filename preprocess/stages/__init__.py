"""One file a stage: what is read, what is written, and which perception does it."""
