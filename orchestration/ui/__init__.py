"""The Dagster UI behind a guard of ours: who reaches it can start programs, and its server asks nobody who they are."""
