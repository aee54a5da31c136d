"""Everything about training that is not in a paper, written once."""
