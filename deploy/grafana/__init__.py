"""Dashboards for Grafana: described here, written as JSON by `python -m deploy.grafana`."""
