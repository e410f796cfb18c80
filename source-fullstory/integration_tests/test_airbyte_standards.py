"""Airbyte's own standard tests, as acceptance-test-config.yml sets them out, against the simulator."""

from airbyte_cdk.test.standard_tests import SourceTestSuiteBase


class TestAirbyteStandards(SourceTestSuiteBase):
    """The base class finds the connector by the name of its folder."""
