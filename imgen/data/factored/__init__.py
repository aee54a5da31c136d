"""Data sets of which it is known in what their pictures differ: see `imgen.data.factors`."""
