"""Every figure that is shipped: measured, put into tables, written into the model card, fingerprinted.

Measures what is there; trains nothing.
"""
