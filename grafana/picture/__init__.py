"""Pictures of dashboards and alerts, drawn from what a Prometheus answered. SVG, no libraries."""
