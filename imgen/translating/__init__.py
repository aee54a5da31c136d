"""Translating pictures: which way, what is read, what passes through the model, what is written."""
