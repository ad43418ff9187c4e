"""A plan grown by columns of its index: what did not change is never held in memory."""
