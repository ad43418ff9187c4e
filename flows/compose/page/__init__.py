"""The page of a composition: the job, what it was given, what it made, and how that came about."""
