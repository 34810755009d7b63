"""Production entry: `gunicorn -c gunicorn.conf.py wsgi:app`.

Installed: `gunicorn -c python:csapp.gunicorn_conf csapp.wsgi:app`.

gevent patches before anything else is imported, because drivers and locks choose
between threads and greenlets at import. Under gunicorn's gthread nothing is patched:
that worker uses threads already, and a patch would block its first request for ever.
"""

import sys

from gevent import monkey

if "gunicorn.workers.gthread" not in sys.modules:
    monkey.patch_all()

from csapp import create_app  # patched first

app = create_app()
