"""The words of a job's progress: Docker's, for its clients' users know them."""

from __future__ import annotations

from enum import StrEnum

from shared.oci.reference import Reference


class Status(StrEnum):
    """What is done to a layer or blob."""

    PULLING = "Pulling fs layer"
    WAITING = "Waiting"
    DOWNLOADING = "Downloading"
    DOWNLOADED = "Download complete"
    EXTRACTING = "Extracting"
    COMPLETE = "Complete"
    EXISTS = "Already exists"

    PREPARING = "Preparing"
    UPLOADING = "Uploading"
    UPLOADED = "Upload complete"
    THERE = "Layer already exists"


def pulling_from(ref: Reference) -> tuple[str, str]:
    """Return the first line of a pull and its id: the tag, or the whole reference by digest."""
    return f"Pulling from {ref.familiar_name}", str(ref) if ref.is_canonical else ref.tag


def verified_by(key: str) -> str:
    """Return the line of a valid signature; *key* is its key's short fingerprint."""
    return f"Verified signature by key {key}"


def pushing_to(ref: Reference) -> str:
    """Return the first line of a push."""
    return f"The push refers to repository [{ref.familiar_name}]"


def mounted_from(repository: str) -> str:
    """Return the line of a blob that the registry took over from another repository."""
    return f"Mounted from {repository}"
