"""Dashboards and rules as code: `python -m grafana.build` writes the files that are committed."""
