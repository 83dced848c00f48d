"""Who and what is let in, and how much of it: hosts, routes, passwords, languages, connections, uploads.
And what no reply may show.

Nothing here knows a view.
"""
