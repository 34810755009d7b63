"""Production entry: `gunicorn -c gunicorn.conf.py wsgi:app`.

Installed: `gunicorn -c python:csapp.gunicorn_conf csapp.wsgi:app`.

Patches before anything else is imported: drivers and locks choose between
threads and greenlets when they are imported. Not under gunicorn's gthread, which
has made its choice already: its first request would wait for ever.
"""

import sys

from gevent import monkey

if "gunicorn.workers.gthread" not in sys.modules:
    monkey.patch_all()

from csapp import create_app  # patched first

app = create_app()
