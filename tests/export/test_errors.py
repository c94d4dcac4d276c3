"""Test that messages of other libraries become one readable line."""

import pytest

from export.errors import reason_of


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        ('in user code:\n\n    File "a.py", line 2, in f  *\n        return x\n\n    TypeError: no.', "TypeError: no"),
        (
            "Exception of Dense.\n\n\x1b[1mbad axis\x1b[0m\n\nArguments received by Dense:\n  • x",
            "Exception of Dense. bad axis",
        ),
        ("", "ValueError"),
    ],
)
def test_reason_of_a_long_message_is_one_line(message: str, reason: str) -> None:
    assert reason_of(ValueError(message)) == reason
