"""How hard hypothesis looks: a few seconds a test. Other budgets: `pytest --hypothesis-profile long tests/property`.

Continuous integration looks at the same examples in every run, so that what fails there is what changed; everybody else looks
at new ones.
"""

import os

from hypothesis import HealthCheck, settings

QUIET = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much]
settings.register_profile("usual", max_examples=100, deadline=None, suppress_health_check=QUIET)
settings.register_profile("long", max_examples=5_000, deadline=None, suppress_health_check=QUIET)
settings.register_profile("ci", settings.get_profile("usual"), derandomize=True)
settings.load_profile("ci" if os.environ.get("CI") else "usual")
