"""What the commands of the documentation need, so that a test can run them."""
