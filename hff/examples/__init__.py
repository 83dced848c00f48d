"""The ready clips, what each one puts into the inputs, and the script that makes them.

Free parts only, and nothing that the page draws; see README.md beside them.
"""
