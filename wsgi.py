"""Production entry: `gunicorn -c gunicorn.conf.py wsgi:app`.

Installed: `gunicorn -c python:csapp.gunicorn_conf csapp.wsgi:app`.

Patches before anything else is imported: drivers and locks choose between
threads and greenlets when they are imported.
"""

from gevent import monkey

monkey.patch_all()

from csapp import create_app  # noqa: E402  # patched first

app = create_app()
