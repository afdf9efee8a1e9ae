"""The hub that these tests have beside them."""

from tests.engine.conftest import hub

__all__ = ["hub"]
