"""Where uninitialised values are from."""
