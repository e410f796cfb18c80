"""The image with events by segment export, instead of bundles."""

import json
import time
from pathlib import Path

from integration_tests.airbyte import KEYS, READ, Airbyte, of_type
from simulator import FullStorySimulator, Settings

DAY = 86_400


def test_events_are_the_same_by_either_way(airbyte: Airbyte, configs: Path) -> None:
    today = int(time.time()) // DAY * DAY
    keys = []
    with FullStorySimulator(Settings(api_key=KEYS[0], downloads_per_minute=0)) as sim:
        sim.add_period(today - 4 * DAY, today - 2 * DAY)
        for method in ("bundles", "segment_export"):
            config = json.loads((configs / "sample_config.json").read_text())
            config |= {"api_url": sim.url, "export_url": sim.url, "events_source": {"method": method}}
            config["start_date"] = time.strftime("%Y-%m-%d", time.gmtime(today - 4 * DAY))
            (configs / f"{method}_config.json").write_text(json.dumps(config))
            command = [f"/configs/{method}_config.json" if "config.json" in word else word for word in READ]
            status, messages = airbyte.run(*command)
            assert status == 0
            records = [each["data"] for each in of_type(messages, "RECORD") if each["stream"] == "events"]
            keys.append(sorted(record["event_key"] for record in records))
    assert len(keys[0]) == 2 * 480
    assert keys[0] == keys[1]
