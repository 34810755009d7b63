"""A host whose visitors get their tokens as docs/embedding.md says, *A token for a visitor*.

Served as `tests.browser.token_host:app`, its chat under `/support`. What the page is about
is in that section: the route is run as it stands there, and so is the script.
"""

from __future__ import annotations

import os
import re

import flask_login
from flask import Flask, redirect, render_template_string, url_for
from werkzeug import Response

from csapp import CSApp
from testkit.server import ROOT

SECTION = (ROOT / "docs" / "embedding.md").read_text().split("### A token for a visitor\n")[1]
(ROUTE,) = re.findall(r"^```python\n(.*?)^```", SECTION.split("\n## ")[0], re.M | re.S)
(SCRIPT,) = re.findall(r"^```js\n(.*?)^```", SECTION.split("\n## ")[0], re.M | re.S)

PAGE = """<!doctype html>
<html lang="en">
  <head><meta charset="utf-8"><title>A shop</title><link rel="icon" href="data:,"></head>
  <body>
    <h1>A shop</h1>
    {% if current_user.is_authenticated %}<script>{{ script | safe }}</script>{% endif %}
    {{ csapp_widget() }}
  </body>
</html>
"""

app = Flask(__name__)
app.secret_key = "the shop's own key"
app.config.update((key, value) for key, value in os.environ.items() if key.startswith("CSAPP_"))
chat = CSApp(app, url_prefix="/support")
logins = flask_login.LoginManager(app)


class User(flask_login.UserMixin):
    """A customer, known by its name in small letters."""

    def __init__(self, name: str) -> None:
        self.id, self.name = name.lower(), name.title()


@logins.user_loader
def load(name: str) -> User:
    return User(name)


@app.get("/")
def shop() -> str:
    return render_template_string(PAGE, script=SCRIPT)


@app.get("/sign-in/<name>")
def sign_in(name: str) -> Response:
    flask_login.login_user(User(name))
    return redirect(url_for("shop"))


exec(ROUTE, {  # as the documentation has it
    "app": app,
    "login_required": flask_login.login_required,
    "current_user": flask_login.current_user,
})  # fmt: skip
