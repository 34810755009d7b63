"""What keys of departments and tags of languages look like."""

from __future__ import annotations

import re

#: the key of a department; `""` is the department of those who ask for none
DEPARTMENT = re.compile(r"[a-z0-9-]{1,40}")

#: a language tag of BCP 47, about: `de`, `pt-BR`, `zh-Hant-TW`
LANGUAGE = re.compile(r"[a-z]{2,8}(-[a-z0-9]{1,8})*", re.IGNORECASE)
