"""Which line of Python it was."""
