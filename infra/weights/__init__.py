"""Weights by name: where they come from, what is pinned of them, where they are kept, and how they are loaded."""
