"""What moto and botocore read from the disk again and again, read once per process.

botocore's JSON files are most of the time that moto takes to start: moto and boto3 make a loader each
time they want a service model or the list of endpoints, and every loader parses the files again, into
OrderedDicts: EC2's model alone takes 0.15 s, four times. A dict keeps the same order and is read by the
JSON module's C code.

moto's own folder is a third of the time that a request takes: it is listed for each one, to see whether
the service is one of moto's.
"""

from __future__ import annotations

import gzip
import json
from functools import cache
from pathlib import Path
from typing import Any

from botocore.loaders import JSONFileLoader, Loader
from moto import backends


class ParseOnce(JSONFileLoader):
    """botocore's loader of files, with a memory that all loaders share.

    Loaders change what they get only by the additions that botocore and moto make to a model,
    which are the same each time.
    """

    def load_file(self, file_path: str) -> Any:
        """The content of ``file_path`` (given without its ending); None where there is no such file."""
        return _load(file_path)


@cache
def _load(file_path: str) -> Any:
    plain, packed = Path(file_path + ".json"), Path(file_path + ".json.gz")
    if plain.is_file():
        return json.loads(plain.read_bytes())
    return json.loads(gzip.decompress(packed.read_bytes())) if packed.is_file() else None


def install() -> None:
    """Let every loader made from now on share one memory, and every request one list of moto's services."""
    Loader.FILE_LOADER_CLASS = ParseOnce
    services = frozenset(backends.list_of_moto_modules())
    backends.list_of_moto_modules = lambda: services
