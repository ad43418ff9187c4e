"""What a job says: its tree of combiners, the models, conditions and sizes in it."""
