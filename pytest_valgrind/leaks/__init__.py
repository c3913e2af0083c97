"""Leak checks: when they are done, and which test lost what."""
