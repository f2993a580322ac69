"""OCI and Docker-plugin formats as types and pure functions; safe layer unpack and pack.

Knows no service and no network. The modules are the public names:

- ``digest``: Digest, Digester, VerifyingReader, digest_of
- ``reference``: Reference, parse, local_name, is_identifier
- ``media_types``, ``descriptor``, ``manifest``: Descriptor, Platform, Manifest, Index, parse
- ``go_json``, ``go_struct``: JSON read and written as Go's encoding/json does it
- ``plugin_config``, ``settings``, ``privileges``: Docker's plugin config.json and its rules
- ``devices``, ``runtime_spec``: ContainerSpec to an OCI runtime spec
- ``tar``, ``root``, ``unpack``, ``pack``, ``layer``: archives into folders and back, never outside
"""

from __future__ import annotations
