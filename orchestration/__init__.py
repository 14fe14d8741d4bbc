"""Runs the whole: Dagster assets, checks, jobs and schedules over `ingestion` and `transform`, and the command line.

Holds no business logic: how rows are read is in `ingestion`, what they mean is in `transform`.
"""
