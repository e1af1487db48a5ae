"""One line that says what to do, and that survives the way from a loader process."""

import pickle

from datamodules.errors import DataError


def test_says_where_what_and_what_to_do() -> None:
    error = DataError("clips/", "videos", "none", "give another folder")
    assert str(error) == "clips/: expected videos, got none; give another folder"


def test_survives_the_way_between_processes() -> None:
    error = pickle.loads(pickle.dumps(DataError("clips/", "videos", "none", "give another folder")))
    assert type(error) is DataError
    assert str(error) == "clips/: expected videos, got none; give another folder"
    assert (error.path, error.expected, error.got, error.action) == ("clips/", "videos", "none", "give another folder")
