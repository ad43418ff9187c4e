"""Composing: a job file in, pictures under several conditions out."""
