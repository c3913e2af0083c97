"""Tests that are repeated, to see what grows each time."""
