"""People talk while the server is killed at random moments; a checker judges what they saw."""
