"""What was found, and what it means for a test."""
