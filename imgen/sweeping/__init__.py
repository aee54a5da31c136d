"""Grids of runs: which there are, how far each is, and their training on the machines of a Ray cluster."""
