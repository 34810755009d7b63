#!/bin/sh
# What Playwright starts as Firefox; see bidi.py.
exec "$CSAPP_TEST_PYTHON" "$(dirname "$0")/bidi.py" "$@"
