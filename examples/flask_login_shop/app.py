"""A shop whose customers and staff sign in, and the chat in it: see docs/embedding.md.

Ann is a customer (password "ann"), Bob as well ("bob"), Ada is on the staff ("ada").
"""

from __future__ import annotations

import os
import secrets

from flask import Flask, g, redirect, render_template, request, url_for
from flask_login import (
    LoginManager,
    UserMixin,
    current_user,
    login_user,
    logout_user,
    user_logged_out,
)
from werkzeug.security import check_password_hash, generate_password_hash

from csapp import CSApp, Identity

app = Flask(__name__)
app.config["SECRET_KEY"] = os.environ.get("SECRET_KEY") or secrets.token_hex()
app.config["SESSION_COOKIE_SAMESITE"] = "Lax"

# ---- the shop as it was ----------------------------------------------------


class User(UserMixin):
    def __init__(self, id: str, name: str, password: str, staff: bool = False) -> None:
        self.id = id
        self.name = name
        self.password_hash = generate_password_hash(password)
        self.is_staff = staff


USERS = {
    user.id: user
    for user in (
        User("1", "Ann", "ann"),
        User("2", "Bob", "bob"),
        User("3", "Ada", "ada", staff=True),
    )
}

login_manager = LoginManager(app)
login_manager.user_loader(USERS.get)


@app.get("/")
def home():
    return render_template("home.html")


@app.route("/sign-in", methods=["GET", "POST"])
def sign_in():
    if request.method == "GET":
        return render_template("sign_in.html", wrong=False)
    name, password = request.form.get("name", ""), request.form.get("password", "")
    user = next((user for user in USERS.values() if user.name.lower() == name.lower()), None)
    if user is None or not check_password_hash(user.password_hash, password):
        return render_template("sign_in.html", wrong=True), 401
    login_user(user)
    return redirect(url_for("home"))


@app.post("/sign-out")
def sign_out():
    logout_user()
    return redirect(url_for("home"))


# ---- the chat --------------------------------------------------------------

app.config.update((key, value) for key, value in os.environ.items() if key.startswith("CSAPP_"))

chat = CSApp(app, url_prefix="/support")


@chat.identify_visitor
def visitor(request):
    if current_user.is_authenticated:
        return Identity(current_user.get_id(), current_user.name)
    return None  # an anonymous visitor, who may ask as well


@chat.identify_waiter
def waiter(request):
    if current_user.is_authenticated and current_user.is_staff:
        return Identity(current_user.get_id(), current_user.name)
    return None  # nobody who answers customers


user_logged_out.connect(chat.revoke)


# ---- the policy ------------------------------------------------------------


@app.before_request
def think_of_a_nonce():
    g.nonce = secrets.token_urlsafe(16)


@app.after_request
def set_the_policy(response):
    response.headers.setdefault(
        "Content-Security-Policy",
        f"default-src 'none'; script-src 'nonce-{g.nonce}'; style-src 'self'; "
        "img-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'",
    )
    return response
