"""What each widget shows of a snapshot. Pure: the same snapshot and time give the same values.

``now`` is in whole seconds, so that what merely ticks changes at most once a second. Times are shown
as times of day; an age is shown only where a value is old.
"""
