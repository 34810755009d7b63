"""Flask-Talisman lets no script run that has not the nonce of its response."""

from __future__ import annotations

from flask_talisman import Talisman

from .made import PREFIX, made

POLICY = {"default-src": "'none'", "script-src": "", "style-src": "", "connect-src": "'self'",
          "img-src": "data:"}  # fmt: skip

app, chat = made("talisman")
chat.init_app(app, PREFIX)
Talisman(
    app,
    force_https=False,  # the tests have no certificate
    session_cookie_secure=False,
    content_security_policy=POLICY,
    content_security_policy_nonce_in=["script-src", "style-src"],
)
