"""What the client costs and how soon it is back, beside a bare loop of the WebSocket library.

``python -m tests.bench`` runs every benchmark, ``python -m tests.bench NAME ...`` some of them. They are
no tests: they print what is, beside an aim, and fail nobody.
"""
