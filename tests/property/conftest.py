"""How hard hypothesis looks: a few seconds a test. Other budgets: `pytest --hypothesis-profile long tests/property`."""

from hypothesis import HealthCheck, settings

QUIET = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much]
settings.register_profile("usual", max_examples=100, deadline=None, suppress_health_check=QUIET)
settings.register_profile("long", max_examples=5_000, deadline=None, suppress_health_check=QUIET)
settings.load_profile("usual")
