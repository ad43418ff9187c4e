"""One self-contained page: its blocks, and how they become HTML."""
