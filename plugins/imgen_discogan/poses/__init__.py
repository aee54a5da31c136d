"""Pose pairing: the views of one kind of thing in another."""
