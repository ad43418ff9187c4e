"""Commands that run by themselves: every week, every hour, or when a source has new images."""
