"""The workers and the controller of pytest-xdist."""
