"""Data sets: columns of pictures and labels, and the rows that make up a batch."""
