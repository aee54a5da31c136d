"""What of the documentation is written from the code."""
