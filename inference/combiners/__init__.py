"""Combiners: several conditions and several models to one picture, one method a file."""
