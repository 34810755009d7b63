"""The store of files that the settings name."""

from __future__ import annotations

from .. import file_places
from ..settings import Settings
from .folder import FolderStore
from .port import ContentStore


def content_store(settings: Settings) -> ContentStore | None:
    """Where the content of files is; None: nobody sends any. Opens and makes nothing."""
    if settings.files_url == "off" or settings.database_url == "off":
        return None
    place = file_places.read(settings.files_url)
    if isinstance(place, file_places.Folder):
        return FolderStore(place.path)
    from .bucket import BucketStore  # obstore is an extra

    return BucketStore(place)
