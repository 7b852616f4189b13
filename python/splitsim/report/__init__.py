"""splitsim-report: tables and figures of a sweep or of runs (docs/reports.md)."""
