"""Requests to the simulator, byte for byte, without a client that makes up for anything."""

import http.client
import json
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from simulator import FullStorySimulator
from simulator.api import RECORDING
from source_fullstory.account.account_stream import AccountStream
from source_fullstory.streams import STREAMS

SETTINGS = {
    stream.name: stream.path.removeprefix(f"{RECORDING}/")
    for stream in STREAMS
    if issubclass(stream, AccountStream) and stream.path.startswith(RECORDING) and not stream.cursor_field
}
"""What FullStory calls each recording setting in its path."""


@dataclass
class Answer:
    """A response as it came, or as much of it as came."""

    status: int
    headers: dict[str, str]
    body: bytes
    cut: bool = False

    @property
    def json(self) -> Any:
        return json.loads(self.body)


def ask(url: str, path: str, key: str | None = None, method: str = "GET", body: object = None) -> Answer:
    """One request without following anything or decoding anything."""
    received = b""
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=5)
    try:
        headers = {} if key is None else {"Authorization": f"Basic {key}"}
        connection.request(method, path, None if body is None else json.dumps(body), headers)
        response = connection.getresponse()
        named = {name.lower(): value for name, value in response.getheaders()}
        try:
            while piece := response.read(65_536):
                received += piece
        except http.client.IncompleteRead as error:
            return Answer(response.status, named, received + error.partial, cut=True)
        return Answer(response.status, named, received, cut=bool(response.length))
    finally:
        connection.close()


def call(sim: FullStorySimulator, path: str, method: str = "GET", body: object = None) -> Answer:
    return ask(sim.url, path, sim.api_key, method, body)
