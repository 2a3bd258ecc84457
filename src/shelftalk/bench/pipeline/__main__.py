"""``python -m shelftalk.bench.pipeline``."""

import sys

from shelftalk.bench.pipeline.run import main

sys.exit(main())
