"""Findings in words: failures, summary, files."""
