"""The command line without an installed script: ``python -m supsae``."""

import sys

from .cli.parser import main

sys.exit(main())
