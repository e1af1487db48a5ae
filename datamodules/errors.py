"""Errors a person can act on: which path, what was expected there, what came, what to do."""

from pathlib import Path


class DataError(ValueError):
    """Input that cannot be used. The message is one line.

    Args:
        path: the file or folder at fault.
        expected: what should be there.
        got: what is there.
        action: what to do about it.
    """

    def __init__(self, path: str | Path, expected: str, got: str, action: str) -> None:
        super().__init__(f"{path}: expected {expected}, got {got}; {action}")
        self.path, self.expected, self.got, self.action = path, expected, got, action

    def __reduce__(self) -> tuple[type["DataError"], tuple[str | Path, str, str, str]]:
        return type(self), (self.path, self.expected, self.got, self.action)  # survives the way between processes
