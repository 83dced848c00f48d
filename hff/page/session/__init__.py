"""Who is visiting and what belongs to the visit: private folders, shelves, whose turn it is, the one model.

No HTML.
"""
