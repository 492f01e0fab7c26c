"""What can go wrong, and whose fault it is."""

from __future__ import annotations

from .model import Detail, Fault, HostCallNote, Retry


class CasemateError(Exception):
    """Whatever this package raises about a daemon, a connection or a call."""


class Failure(CasemateError):
    """A call, request or following ended without what was asked for."""

    def __init__(
        self,
        code: str,
        message: str,
        *,
        fault: Fault = Fault.UNKNOWN,
        retry: Retry = Retry.UNKNOWN,
        detail: Detail | None = None,
        host_calls: tuple[HostCallNote, ...] = (),
        backtrace: str = "",
        report: bytes = b"",
    ) -> None:
        super().__init__(code, message)
        self.code = code
        """The stable dotted code, such as ``limit.memory``."""
        self.message = message
        """For people: the thing, the limit and what to do."""
        self.fault = fault
        self.retry = retry
        self.detail = detail
        """The values that the message is made of; what is set depends on the code."""
        self.host_calls = host_calls
        """The last host calls of the call, the latest last."""
        self.backtrace = backtrace
        """Where the guest was: a frame a line, innermost first."""
        self.report = report
        """Of ``module.*``: the compiler's report, undecoded."""

    def __str__(self) -> str:
        return f"{self.code}: {self.message}"


class NotRunning(CasemateError, ConnectionError):
    """There is no daemon where one was looked for."""


class Refused(CasemateError, ConnectionError):
    """The daemon ended the connection, and said why."""

    def __init__(self, code: str, message: str, version_min: int = 0, version_max: int = 0) -> None:
        super().__init__(code, message)
        self.code = code
        self.message = message
        self.version_min = version_min
        self.version_max = version_max

    def __str__(self) -> str:
        text = f"the daemon refused: {self.code}: {self.message}"
        if self.code == "protocol.version":
            text += f" (it speaks versions {self.version_min} to {self.version_max} of the protocol)"
        return text


class ConnectionLost(CasemateError, ConnectionError):
    """The connection ended while something was open on it: a call may have run."""


class ProtocolViolation(CasemateError, ConnectionError):
    """The daemon broke a rule of the protocol, and the connection was closed."""

    def __init__(self, code: str, what: str) -> None:
        super().__init__(code, what)
        self.code = code
        """One of the codes of PROTOCOL.md, such as ``protocol.credit``."""
        self.what = what

    def __str__(self) -> str:
        return f"the daemon broke the protocol ({self.code}): {self.what}"


class HostError(Exception):
    """Raised by a host method: the plugin gets this error in place of an answer."""

    def __init__(self, code: str, message: str = "", *, retryable: bool = False) -> None:
        super().__init__(code, message)
        self.code = code
        self.message = message
        self.retryable = retryable

    def __str__(self) -> str:
        return f"{self.code}: {self.message}"
