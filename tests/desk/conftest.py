"""Assertions in the shared files explain themselves like those in the tests."""

import pytest

pytest.register_assert_rewrite(
    "tests.desk.conformance", "tests.desk.crowd", "tests.desk.helpers", "tests.desk.stateful"
)
