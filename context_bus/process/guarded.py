"""Makes a guardian of the forkserver that imports it; last, so that it also freezes what came before.

Preloading a module is the only thing that multiprocessing lets one do in a forkserver.
"""

from __future__ import annotations

import sys

from context_bus.process.guardian import guard

if any("multiprocessing.forkserver" in word for word in sys.orig_argv):
    guard()
