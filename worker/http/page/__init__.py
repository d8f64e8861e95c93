"""
The page of the door: for the person who closes the day, and the one on call. It reads, and changes nothing.

``look.py`` reads Redis, once for all who look; ``view.py`` says what of it somebody sees, in words; ``rendering.py``
makes HTML of that, and keeps within a size; ``routes.py`` answers, ``live.py`` keeps a page fresh.
"""
