"""Which Python line raised an error or lost memory."""
