"""What every simulator can be told. A wrong name or value is a mistake, never a setting without effect."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, ClassVar, Literal, get_args, get_origin, get_type_hints


@dataclass
class BaseSettings:
    """Every setting may be changed while the simulator runs."""

    SETS: ClassVar[Mapping[str, frozenset[str]]] = {}
    """The settings that are sets, and of which words; of any if there are none."""

    seed: int = 1
    api_key: str = ""  # the only one that is let in
    latency_ms: float = 0.0  # before every answer

    _hints: ClassVar[Mapping[str, object]]

    def __init_subclass__(cls) -> None:
        cls._hints = get_type_hints(cls)

    def __setattr__(self, name: str, value: object) -> None:
        object.__setattr__(self, name, self._checked(name, value))

    def change(self, **values: object) -> None:
        """Set several at once (what /_simulator/settings uses); lists become sets."""
        for name, value in values.items():
            setattr(self, name, value)

    def plain(self) -> dict[str, Any]:
        """Fit for JSON."""
        values = {each.name: getattr(self, each.name) for each in fields(self)}
        return {name: sorted(value) if isinstance(value, frozenset) else value for name, value in values.items()}

    def _checked(self, name: str, value: object) -> object:
        hint = self._hints.get(name)
        if hint is None:
            raise AttributeError(f"no such setting: {name}")
        if name in self.SETS:
            return _checked_set(name, value, self.SETS[name])
        allowed = get_args(hint)
        if get_origin(hint) is Literal and value not in allowed:
            raise ValueError(f"{name} is one of {', '.join(allowed)}, not {value!r}")
        return value


def _checked_set(name: str, value: object, words: frozenset[str]) -> frozenset[str]:
    if not isinstance(value, frozenset | set | list | tuple):
        raise TypeError(f"{name} is a set of names, not {value!r}")
    unknown = words and set(value) - words
    if unknown:
        raise ValueError(f"{name} are any of {', '.join(sorted(words))}, not {sorted(unknown)}")
    return frozenset(value)
