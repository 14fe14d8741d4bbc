"""Reads Virtuous Raise and Virtuous CRM+ and lands every row in DuckDB through dlt.

Knows dlt, httpx and DuckDB; never imports Dagster or dbt.
"""
