"""The toy of the paper: points in the plane, five modes to ten."""
