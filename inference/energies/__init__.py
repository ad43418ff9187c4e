"""Energies: numbers that are low where a picture meets a condition; differentiable, one a file, a number a sample."""
