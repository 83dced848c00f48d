"""What several tests share: made-up media and corpora, small models, a browser, and tools run by hand.

No tests.
"""
