"""Valgrind's memcheck: its counters, its log, its stacks."""
