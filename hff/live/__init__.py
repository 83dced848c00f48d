"""Reading while it happens: a rolling window over pictures, sound and words, and its effort.

The engine without a page: no HTML, no HTTP, no browser.
"""
