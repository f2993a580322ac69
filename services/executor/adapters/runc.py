"""runc, through its CLI; its errors become errdefs here and nowhere else."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Sequence
from dataclasses import dataclass

from services.executor.domain.layout import Layout
from services.executor.ports import RuntimeStatus
from shared import errdefs
