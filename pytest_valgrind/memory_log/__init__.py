"""The memory of the process, test by test: a log of it, and a limit to its growth."""
