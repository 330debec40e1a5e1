"""The one error type that people and programs see."""


class OutpostError(Exception):
    """Something a user can act on.

    `code` is stable and meant for programs; `message` says what is wrong; `remedy` says what to do.
    Subclass it only where a caller acts differently.
    """

    def __init__(self, code: str, message: str, *, remedy: str = "") -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.remedy = remedy

    def __str__(self) -> str:
        return f"{self.message} {self.remedy}".strip()
