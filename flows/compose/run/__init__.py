"""Jobs run: batches of pictures made by workers, committed as they come."""
