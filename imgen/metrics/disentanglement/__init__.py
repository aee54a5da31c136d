"""Whether each code of a representation follows one factor of variation, by the scores of the field."""
