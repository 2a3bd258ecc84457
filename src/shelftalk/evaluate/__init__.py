"""What the system is judged by: logs replayed for its recommendations, and texts for its words.

Nothing of a running worker imports this package; what the extra ``evaluate`` installs is needed here only.
"""
