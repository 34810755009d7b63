"""Every frame that may travel, typed: a file for each direction and role, imported from here.

`wire/` knows nobody: it does not know who is connected or what a frame leads to. Clients' frames
are decoded into `FromUser`, `FromWaiter` and, in version 2, `FromUser2` and `FromWaiter2`; the
server's frames are built from the classes of `to_….py` and of nowhere else. The rule of version 1:
what a client of version 1 is sent carries no type, payload key or field that the founding document
does not list; everything beyond it stands under *version 2* in its file.
"""

from .base import *
from .from_both import *
from .from_users import *
from .from_waiters import *
from .to_both import *
from .to_users import *
from .to_waiters import *
