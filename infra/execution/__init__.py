"""Units of work on actors of Ray: where there is room, what became of them, and who killed whom."""
