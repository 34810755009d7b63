"""Two servers that are one desk: everything of both versions, on a real Redis."""
