"""OCI and Docker-plugin formats as types and pure functions; safe layer unpack and pack.

Knows no service and no network. The modules are the public names:

- ``digest``: Digest, Digester, VerifyingReader, digest_of, verify
- ``reference``: Reference, parse, parse_remote, local_name, is_identifier
- ``media_types``, ``descriptor``, ``manifest``: Descriptor, Platform, Manifest, Index, parse
- ``go_json``, ``go_struct``: JSON read and written as Go's encoding/json does it
- ``plugin_config``, ``settings``, ``privileges``: Docker's plugin config.json and its rules
- ``networks``: require_available
- ``devices``, ``runtime_spec``, ``seccomp``: resolve_devices; ContainerSpec and build
- ``tar_header``, ``tar``: Entry, TarError; TarReader, clean
- ``root``, ``unpack``: Root, sync_file_system; unpack, Unpacker, Limits (never outside the root)
- ``pack``, ``plugin_context``: LayerWriter, Layer; unpack_and_pack, one pass for a plugin's tar
- ``compression``, ``whiteout``: what unpack is made of
"""

from __future__ import annotations
