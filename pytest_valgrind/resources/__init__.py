"""What a test has opened, started or made, and has not closed, ended or removed."""
