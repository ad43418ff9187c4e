"""Evaluating: the papers' claims on tabletop or on one's own, each with its rule, its intervals and a verdict."""
