"""One pytest session under valgrind."""
