"""The host's own, of the same name as a file of csapp: who works here."""

STAFF = {"ada": "Ada of the host"}
