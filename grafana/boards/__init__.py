"""The dashboards: what they show (one file each), and how Grafana is told."""
