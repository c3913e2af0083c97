"""A test item and its reports."""
