#!/usr/bin/env python
"""The management door of the control plane: `python manage.py <command>`, from a bare checkout or an install."""

from __future__ import annotations

import os
import sys
from pathlib import Path


def main() -> None:
    # Appended, never inserted: nothing in platform/ may come before the standard library, whose `platform` it is named like.
    source_root = str(Path(__file__).resolve().parent / "platform")
    if source_root not in sys.path:
        sys.path.append(source_root)
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

    from django.core.management import execute_from_command_line

    execute_from_command_line(sys.argv)


if __name__ == "__main__":
    main()
