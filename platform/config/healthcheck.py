"""`python -m config.healthcheck`: whether this container's server is ready, for Docker. Exit status 0 or 1."""

from __future__ import annotations

import http.client
import os
import sys

SECONDS = 2.5


def main() -> int:
    connection = http.client.HTTPConnection("127.0.0.1", int(os.environ.get("PORT", "8000")), timeout=SECONDS)
    try:
        connection.request("GET", "/readyz")
        return 0 if connection.getresponse().status == 200 else 1
    except (OSError, http.client.HTTPException):
        return 1
    finally:
        connection.close()


if __name__ == "__main__":
    sys.exit(main())
