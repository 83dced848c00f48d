"""Starts the demo page: `python app.py`, then open the address it prints."""

from __future__ import annotations

from hff.page.program import leave, main, parse

__all__ = ["leave", "main", "parse"]

if __name__ == "__main__":
    leave(main(program="python app.py"))
