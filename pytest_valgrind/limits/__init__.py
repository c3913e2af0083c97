"""Limits to the memory of a test, as pytest-memray has them, by the native heap engine."""
