"""When a backlog will be done: what is known of an account's load, and the course that follows from it. Pure."""
