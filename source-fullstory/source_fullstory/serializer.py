"""Records on stdout as the API sent them.

The CDK's serializer drops null values from a record (airbyte-cdk 7.39: `omit_none` reaches into its data), which makes
null and absent the same, and takes a copy of each record to do so. It offers no switch, so the entry point gets a
serializer that passes records through and leaves all other messages to the CDK's.
"""

from __future__ import annotations

from typing import Any

from airbyte_cdk import entrypoint
from airbyte_cdk.models import AirbyteMessage, AirbyteMessageSerializer


class _RecordsAsTheyAre:
    """What the entry point uses of a serializer."""

    @staticmethod
    def dump(message: AirbyteMessage) -> Any:
        record = message.record
        if record is None:
            return AirbyteMessageSerializer.dump(message)
        data = {"stream": record.stream, "data": record.data, "emitted_at": record.emitted_at}
        return {"type": "RECORD", "record": data}


def keep_nulls() -> None:
    """From here on, records leave this process as they are."""
    entrypoint.AirbyteMessageSerializer = _RecordsAsTheyAre()  # type: ignore[assignment]
