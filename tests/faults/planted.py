"""What the bug that `inspected` plants listens to."""

#: a text that raises in the handler
PLANTED = "a bug is planted here"
