"""Moving one code at a time: which coordinates move, between which values, and the sheets that show what changes."""
