"""Errors that memcheck reports although nothing is wrong."""
