"""How times are written for people."""


def clock(seconds: float) -> str:
    """Write a time, or a length of time, as ``0:05``, ``1:05`` or ``1:01:05``."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
