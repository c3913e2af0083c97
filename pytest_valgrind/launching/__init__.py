"""From an ordinary interpreter to one under valgrind."""
