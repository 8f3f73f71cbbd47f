"""The harness, as the integration tests have it."""

from tests.integration.conftest import harness

__all__ = ["harness"]
