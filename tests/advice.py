"""Runs the commands that an error's advice gives, as an operator would paste them."""

import re
from typing import Any


async def follow(redis: Any, advice: str) -> None:
    """Runs each `redis-cli` command of an advice."""
    commands = re.findall(r"redis-cli ([^&;]+)", advice)
    assert commands, advice
    for command in commands:
        await redis.execute_command(*command.split())
