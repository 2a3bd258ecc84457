"""Brokers, as the tests of the Kafka shell have them."""

from tests.stream.conftest import _no_settings_from_outside, bootstrap, embedded_bootstrap, site

__all__ = ["_no_settings_from_outside", "bootstrap", "embedded_bootstrap", "site"]
