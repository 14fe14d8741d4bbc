"""Tells people when something changes: a run fails or recovers, data grow stale, money goes missing.

What is told (`changes`), what there is to see (`observing`), how it gets out (`channels`), and the memory that keeps
anything from being told twice (`telling`) know nothing of one another's work.
"""
