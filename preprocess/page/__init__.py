"""What a data set's page shows, section by section."""
