"""``python -m tronie`` is the command ``tronie``."""

import sys

from tronie.cli import main

sys.exit(main())
