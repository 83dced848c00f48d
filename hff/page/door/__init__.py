"""Who and what is let in: hosts and origins, routes, passwords, uploads; and what no reply may show.

Nothing here knows a view.
"""
