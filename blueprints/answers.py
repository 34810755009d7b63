"""Answers in JSON and pages, which are the same in every application.

They ignore what an application sets for its own answers: `app.json`, and delimiters and
context processors of templates.
"""

from __future__ import annotations

import json
from typing import Any

from flask import Response, current_app
from jinja2 import Environment, Undefined, defaults

from .extension import Extension


def jsonify(*values: Any, **fields: Any) -> Response:
    """A response with *fields* as a JSON object, or with the one value, like `flask.jsonify`."""
    content = values[0] if values else fields
    text = json.dumps(content, sort_keys=True, separators=(",", ":"))
    return current_app.response_class(f"{text}\n", mimetype="application/json")


def uncached(response: Response) -> Response:
    """*response*, which no browser and no proxy keeps."""
    response.cache_control.no_store = True
    return response


def rendered(template: str, **values: object) -> str:
    """The text of *template* with *values*. It sees the globals of all templates, no processors."""
    extension: Extension = current_app.extensions["csapp"]
    if extension.templates is None:
        extension.templates = _with_our_delimiters(current_app.jinja_env)
    return extension.templates.get_template(template).render(**values)


def _with_our_delimiters(host: Environment) -> Environment:
    """The host's template environment, with the delimiters and options of our templates."""
    return host.overlay(
        block_start_string=defaults.BLOCK_START_STRING,
        block_end_string=defaults.BLOCK_END_STRING,
        variable_start_string=defaults.VARIABLE_START_STRING,
        variable_end_string=defaults.VARIABLE_END_STRING,
        comment_start_string=defaults.COMMENT_START_STRING,
        comment_end_string=defaults.COMMENT_END_STRING,
        line_statement_prefix=defaults.LINE_STATEMENT_PREFIX,
        line_comment_prefix=defaults.LINE_COMMENT_PREFIX,
        undefined=Undefined,
        finalize=None,
        autoescape=True,
        enable_async=False,
    )
