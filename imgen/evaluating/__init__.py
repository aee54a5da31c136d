"""Measuring what is trained already, and comparing what was measured."""
