"""The evidence: every network that the papers' claims are measured with on tabletop, trained by one command."""
