"""Python objects in words."""
