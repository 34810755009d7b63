"""Applications with the chat in them, and with the extensions that people use beside it.

Each module but `made.py` and the tests is one such application, with the real
extension: `tests.hosts.NAME:app`. The chat hangs under `/support`, and none of them
has a line for it that `docs/extensions.md` does not ask for.
"""
