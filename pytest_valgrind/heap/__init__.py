"""The native heap engine: what was lost, and which heap was corrupted, without valgrind."""
