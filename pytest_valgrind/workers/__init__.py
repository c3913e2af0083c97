"""pytest-xdist's workers and controller."""
