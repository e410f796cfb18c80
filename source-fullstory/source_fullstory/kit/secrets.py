"""What must not be seen in any output: kept out of messages whole, and out of what an API says in pieces, too."""

from __future__ import annotations

import html
import json
from base64 import b64encode, urlsafe_b64encode
from collections.abc import Iterator
from itertools import groupby
from urllib.parse import quote as url_escaped

from airbyte_cdk.utils.airbyte_secrets_utils import add_to_secrets

SHORTEST = 8
"""A shorter secret would blank ordinary words, and a shorter piece of one tells next to nothing."""
_MASK = "****"
_LOWER = {upper: upper + 32 for upper in range(ord("A"), ord("Z") + 1)}
"""Of ASCII only, so that a text keeps its length: some escape in capitals (%2F), some not."""

_pieces: set[str] = set()


def conceal(*secrets: str) -> None:
    """Keep these out of all messages, in every form that something between here and the API may quote them in."""
    forms = {form for secret in secrets for form in _forms(secret.strip()) if len(form) >= SHORTEST}
    for form in sorted(forms, key=len, reverse=True):  # the CDK replaces one after the other
        add_to_secrets(form)
        low = form.translate(_LOWER)
        _pieces.update(low[at : at + SHORTEST] for at in range(len(low) - SHORTEST + 1))


def masked(text: str) -> str:
    """The text without any piece of a secret, because an API may quote a part of one, or its own text be cut."""
    low = text.translate(_LOWER)
    hidden = bytearray(len(low))
    for at in range(len(low) - SHORTEST + 1):
        if low[at : at + SHORTEST] in _pieces:
            hidden[at : at + SHORTEST] = b"\1" * SHORTEST
    runs = groupby(zip(text, hidden, strict=True), key=lambda pair: pair[1])
    return "".join(_MASK if is_hidden else "".join(letter for letter, _ in run) for is_hidden, run in runs)


def _forms(secret: str) -> Iterator[str]:
    for form in (secret, *_in_base64(secret.encode())):
        yield form
        yield url_escaped(form, safe="")
        yield html.escape(form)
        yield json.dumps(form)[1:-1]
        yield form.replace("/", "\\/")


def _in_base64(secret: bytes) -> Iterator[str]:
    """As Basic authentication sends it, and whatever stands before and after it."""
    for encode in (b64encode, urlsafe_b64encode):
        yield encode(secret).decode()
        yield encode(secret).decode().rstrip("=")
        for before in range(3):
            whole = (bytes(before) + secret)[: (before + len(secret)) // 3 * 3]
            yield encode(whole).decode()[before + 1 if before else 0 :]
