"""All of it at once, as shops grow: and nothing of it has a line for the chat.

But for the toolbar, whose scripts have no nonces: its application is `toolbar.py`.
"""

from __future__ import annotations

import tempfile

from cachelib.file import FileSystemCache
from flask import Response, request
from flask_babel import Babel
from flask_caching import Cache
from flask_compress import Compress
from flask_cors import CORS
from flask_limiter import Limiter
from flask_limiter.util import get_remote_address
from flask_login import LoginManager
from flask_session import Session
from flask_talisman import Talisman
from flask_wtf import CSRFProtect
from werkzeug.middleware.proxy_fix import ProxyFix

from .limiter import DEFAULTS
from .made import PREFIX, made
from .talisman import POLICY


class OfTheShop(Response):
    """What the shop's views answer with."""


app, chat = made("everything", static_url_path="")
app.response_class = OfTheShop
app.url_map.strict_slashes = False
app.config.update(
    SESSION_TYPE="cachelib",
    SESSION_CACHELIB=FileSystemCache(tempfile.mkdtemp(prefix="csapp-test-")),
)
app.wsgi_app = ProxyFix(app.wsgi_app)  # type: ignore[method-assign]
Babel(app, locale_selector=lambda: "zh_Hans_CN")
Cache(app, config={"CACHE_TYPE": "SimpleCache"})
chat.init_app(app, PREFIX)
Compress(app)
CORS(app)
CSRFProtect(app)
Limiter(get_remote_address, app=app, default_limits=DEFAULTS, storage_uri="memory://")
LoginManager(app).user_loader(lambda user_id: None)
Session(app)
Talisman(app, force_https=False, session_cookie_secure=False, content_security_policy=POLICY,
         content_security_policy_nonce_in=["script-src", "style-src"])  # fmt: skip


@app.errorhandler(Exception)
def failed(error: Exception) -> tuple[str, int]:
    return "the shop's apology", 500


@app.after_request
def signed(response: Response) -> Response:
    """Read and write every body, and every header."""
    if not response.direct_passthrough:
        response.set_data(response.get_data())
    response.headers["Cache-Control"] = response.headers.get("Cache-Control", "private")
    response.headers["X-Frame-Options"] = "DENY"
    return response


@app.after_request
def copied(response: Response) -> Response:
    """As people do who give every answer one shape: what they return is another response."""
    if response.direct_passthrough:
        return response
    kind = response.content_type
    return app.response_class(response.get_data(), response.status_code, content_type=kind)


@app.teardown_request
def over(_error: BaseException | None) -> None:
    assert request.path


@app.route("/<path:anything>")
def single_page(anything: str) -> str:
    return "the shop's page for whatever is no address"
