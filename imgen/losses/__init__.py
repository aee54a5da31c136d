"""Pure functions of tensors, one for each published term."""
