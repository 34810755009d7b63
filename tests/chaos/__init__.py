"""Clients write while the server is killed at random; a checker judges what they saw."""
