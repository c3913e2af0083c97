"""What is known after a process has crashed."""
