"""A bucket as storage: requests that are repeated, in parts where they are large."""
