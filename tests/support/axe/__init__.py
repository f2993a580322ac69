"""axe-core 4.14.1 (MPL-2.0), which looks at a page for what keeps people out of it."""

from __future__ import annotations

import gzip
import hashlib
from pathlib import Path
from typing import Final

#: Of dist/axe.min.js in the npm package.
_SHA256: Final = "29348999450cdf2849a8e70b7912fc2da85a849da39c0d0d5394f51d4a9ed95c"


def source() -> str:
    """Return its script, which is what was released."""
    script = gzip.decompress((Path(__file__).parent / "axe-4.14.1.min.js.gz").read_bytes())
    assert hashlib.sha256(script).hexdigest() == _SHA256
    return script.decode()
