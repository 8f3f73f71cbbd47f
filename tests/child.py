"""A process under test that may be killed; what it said is in its log."""

import signal
import subprocess
from pathlib import Path

from tests.services import PATIENCE_S, eventually


class Child:
    """A consumer process. Its messages are in `log`."""

    def __init__(self, process: "subprocess.Popen[bytes]", log: Path) -> None:
        self.process = process
        self._log = log

    @property
    def log(self) -> str:
        return self._log.read_text("utf-8", "replace")

    def send(self, number: signal.Signals) -> None:
        """Sends a signal."""
        self.process.send_signal(number)

    def kill(self) -> None:
        """SIGKILL, and waits for the end."""
        self.process.kill()
        self.process.wait(30)

    async def ended(self, seconds: float = PATIENCE_S) -> int:
        """The exit status, once it has ended; a negative number names the signal that killed it."""
        await eventually(
            lambda: self.process.poll() is not None, seconds, lambda: f"the consumer ends:\n{self.log[-3000:]}"
        )
        return int(self.process.returncode)
