"""Training: one network from data sets by its recipe, here or over Ray, and what is seen of it."""
