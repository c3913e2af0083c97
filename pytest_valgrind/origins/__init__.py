"""Where uninitialised values were created."""
