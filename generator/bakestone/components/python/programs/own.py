"""Of a Python from source: it and all that it imports are below its prefix, its modules are compiled,
and it has pip.
"""

import importlib.util
import json
import os
import sys
import sysconfig

import pip

prefix = os.environ["PREFIX"]
assert sys.prefix == sysconfig.get_config_var("prefix") == prefix, sys.prefix
assert all(path.startswith(prefix + "/") for path in sys.path[1:]), sys.path
assert os.path.exists(importlib.util.cache_from_source(json.__file__)), json.__file__
assert pip.__file__.startswith(prefix + "/"), pip.__file__
