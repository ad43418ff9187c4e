"""What a team asks of what lies there: how it stands, where it comes from, what may go."""
