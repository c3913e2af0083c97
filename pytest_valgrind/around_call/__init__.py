"""The check around a call: a function is called again and again, and must leave nothing."""
