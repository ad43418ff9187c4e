"""Images to records."""
