"""What the networks of two papers share, and nothing else."""
