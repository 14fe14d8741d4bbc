"""The asset graph: both APIs, the raw tables, the dbt models and the published file."""
