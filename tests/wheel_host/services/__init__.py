"""The host's own: what is behind its pages."""
